"""One shop of chance fills a database for all tests here; `SEED=7 make test ARGS="tests/integration/loop_reports"` draws it again."""

import asyncio
from random import Random

import pytest

from services.runtime.postgres import connect
from tests.builders import delivery
from tests.chance_shop import some_shop, truth_of
from tests.closing import Loop
from tests.conftest import fresh_database
from tests.loop_reports import SEED, reports


@pytest.fixture(scope="session")
def events():
    print(f"SEED={SEED}")
    return some_shop(Random(SEED))


@pytest.fixture(scope="session")
def truth(events):
    return truth_of(events)


@pytest.fixture(scope="session")
def filled_dsn(postgres_dsn, migrated_template, events):
    async def fill(dsn):
        async with connect(dsn, application="fill") as database:
            loop = Loop(database)
            await loop.handle([delivery(event) for event in events])
            await loop.settle()

    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        asyncio.run(fill(dsn))
        yield dsn


@pytest.fixture
async def client(filled_dsn, tmp_path):
    async with reports(filled_dsn, tmp_path) as client:
        yield client
