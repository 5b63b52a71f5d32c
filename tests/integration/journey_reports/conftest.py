"""One shop of chance fills a database for all tests here; `SEED=7 make test ARGS="tests/integration/journey_reports"` draws it again."""

from random import Random

import pytest

from tests.builders import delivery
from tests.chance_shop import some_shop, truth_of
from tests.closing import Loop
from tests.filling import filled_database
from tests.journey_reports import SEED, reports


@pytest.fixture(scope="session")
def events():
    print(f"SEED={SEED}")
    return some_shop(Random(SEED))


@pytest.fixture(scope="session")
def truth(events):
    return truth_of(events)


@pytest.fixture(scope="session")
def filled_dsn(postgres_dsn, migrated_template, events):
    async def fill(database):
        loop = Loop(database)
        await loop.handle([delivery(event) for event in events])
        await loop.settle()

    with filled_database(postgres_dsn, migrated_template, fill) as dsn:
        yield dsn


@pytest.fixture
async def client(filled_dsn, tmp_path):
    async with reports(filled_dsn, tmp_path) as client:
        yield client
