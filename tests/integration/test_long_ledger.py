"""A short form of the long ledger: generated deals, each looked at in every instant under every model.

`SEED=123 make test ARGS="tests/integration/test_long_ledger.py"` draws the same again; `python -m tests.long_ledger` a million.
"""

from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest
import uvloop

from services.runtime.postgres import Database, connect
from tests.conftest import fresh_database
from tests.law import SEED
from tests.ledger.passes import Counted, Task, look, rules_of, run_pass
from tests.rewriting import REWRITES_LEDGER

TASK = Task(f"{SEED}", 2_000)


@pytest.fixture(scope="module")
def credited(postgres_dsn: str, migrated_template: str) -> Iterator[tuple[str, Counted]]:
    """A ledger that was looked at, and what was counted."""
    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        yield dsn, uvloop.run(_credit(dsn))


async def _credit(dsn: str) -> Counted:
    async with (
        connect(dsn, application="test", size=2) as database,
        connect(dsn, application="test", size=1, scans=True) as scans,
    ):
        return await run_pass(database, scans, TASK)


@pytest.fixture
async def scans(credited: tuple[str, Counted]) -> AsyncIterator[Database]:
    async with connect(credited[0], application="test", size=1, scans=True) as scans:
        yield scans


def test_every_deal_has_its_whole_amount_under_every_model_at_every_instant(credited: tuple[str, Counted]) -> None:
    _, counted = credited
    assert counted.drift == 0
    assert counted.deals == TASK.deals
    assert counted.instants > counted.entries > TASK.deals / 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("UPDATE told SET amount = amount + 1 WHERE is_won", id="a cent too few"),
        pytest.param("UPDATE told SET currency = 'CHF' WHERE is_won", id="money of another currency"),
        pytest.param("UPDATE told SET is_won = false", id="credits of a deal that is not won"),
        pytest.param("DELETE FROM credits WHERE model = 'ours'", id="a model without credits"),
        pytest.param(
            "UPDATE entries SET superseded_at = superseded_at - interval '1 us'", id="an instant without entry"
        ),
        pytest.param(
            "UPDATE entries SET recorded_at = recorded_at - interval '1 us'", id="an instant with two entries"
        ),
    ],
)
async def test_what_is_wrong_is_seen(scans: Database, fault: str) -> None:
    async with scans.connection() as connection:
        attempt = connection.transaction()
        await attempt.start()
        await connection.execute(REWRITES_LEDGER + fault)
        seen = await look(connection, rules_of(Random(TASK.seed)))
        await attempt.rollback()
    assert seen.wrong
