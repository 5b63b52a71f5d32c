"""Identity and attributor for tests that drive them by hand: one database for all, emptied for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.runtime.postgres import connect
from tests.closing import Loop
from tests.conftest import fresh_database


@pytest.fixture(scope="session")
def loop_dsn(postgres_dsn: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        yield dsn


@pytest.fixture
async def loop(loop_dsn: str) -> AsyncIterator[Loop]:
    """An identity consumer and an attributor on an empty state."""
    async with connect(loop_dsn, application="loop", size=6) as database:
        loop = Loop(database)
        await loop.empty()
        yield loop
