"""The law through Postgres: the present state is a function of the set of events, whatever their order, repetition, cuts and crashes.

Hundreds of histories, many in one pass. `SEED=123 make test ARGS="tests/integration/test_law.py"` draws the same again;
the seed, the rows and the smallest history, as code, are printed with a failure. `python -m tests.long_law` runs more.
"""

import os
import secrets

import pytest

from tests.closing import Loop
from tests.law.passes import Pass, report, run_pass

SEED = os.environ.get("SEED") or str(secrets.randbelow(2**32))

WAYS = [
    pytest.param(Pass(200, consumers=1, longest=(100, 1000), size=30), id="one consumer, large batches"),
    pytest.param(Pass(140, consumers=2, partitions=3, longest=(60, 600), size=30), id="two consumers"),
    pytest.param(Pass(140, consumers=3, partitions=8, longest=(60, 600), size=30), id="three consumers"),
    pytest.param(Pass(10, consumers=1), id="one consumer, small batches"),
    pytest.param(Pass(10, consumers=2, partitions=2), id="two consumers, small batches"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_histories_end_in_the_state_of_the_reference(loop: Loop, way: Pass) -> None:
    outcome = await run_pass(loop, way, SEED)
    assert not outcome.wrong, await report(loop, outcome, way, SEED)


async def test_event_by_event_or_all_at_once_is_the_same(loop: Loop) -> None:
    for place, way in enumerate([Pass(8, consumers=1, longest=(1,)), Pass(8, consumers=1, longest=(10_000,))]):
        outcome = await run_pass(loop, way, f"{SEED} whole")
        assert not outcome.wrong, await report(loop, outcome, way, SEED)
        if place == 0:
            await loop.empty()
