"""What the tests of the law share: a shop, and the digest that every way of sending it must give."""

import asyncio

import pytest

from services.local.shop import simulate
from tests.conftest import fresh_database, make_settings
from tests.e2e.in_process import running_loop

SEED = 20260722
SHOP = simulate(SEED, 300)


@pytest.fixture(scope="session")
def expected(postgres_dsn: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests, by part, of the shop sent once and in the order in which it happened."""
    events = SHOP.requests()

    async def run(dsn: str) -> dict[str, str]:
        async with running_loop(make_settings(dsn, tmp_path_factory.mktemp("expected"))) as loop:
            await loop.post([events[start : start + 100] for start in range(0, len(events), 100)])
            await loop.settle()
            return await loop.digest_parts()

    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        return asyncio.run(run(dsn))
