"""The law through Postgres: the present state is a function of the set of events, whatever their order, repetition, cuts and crashes.

Hundreds of histories, many in one pass. `SEED=123 make test ARGS="tests/integration/test_law.py"` draws the same again;
the seed, the rows and the smallest history, as code, are printed with a failure. `python -m tests.long_law` runs more.
"""

import pytest

from tests.closing import Loop
from tests.law import SEED
from tests.law.passes import Cases, Pass, drawn, drawn_parted, report, run_pass

WAYS = [
    pytest.param(Pass(200, consumers=1, longest=(1000,), size=30), id="one consumer"),
    pytest.param(Pass(140, consumers=2, partitions=3, longest=(600,), size=30), id="two consumers"),
    pytest.param(Pass(140, consumers=3, partitions=8, longest=(300,), size=30), id="three consumers"),
    pytest.param(Pass(6, consumers=1), id="one consumer, small batches"),
    pytest.param(Pass(6, consumers=2, partitions=2), id="two consumers, small batches"),
    pytest.param(Pass(4, consumers=1, longest=(1,)), id="event by event"),
    pytest.param(Pass(4, consumers=1, longest=(10_000,)), id="all at once"),
]


async def holds(loop: Loop, way: Pass, cases: Cases) -> None:
    wrong = await run_pass(loop, way, cases, str(SEED))
    assert not wrong, await report(loop, way, cases, wrong, str(SEED))


@pytest.mark.parametrize("way", WAYS)
async def test_histories_end_in_the_state_of_the_reference(loop: Loop, way: Pass) -> None:
    await holds(loop, way, drawn(way, str(SEED)))


async def test_merged_and_unlinked_is_never_merged(loop: Loop) -> None:
    way = Pass(40, consumers=2, longest=(200,), size=20)
    await holds(loop, way, drawn_parted(way, str(SEED)))


async def test_folds_that_are_put_off_and_cut_in_parts_come_to_the_same(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a kiosk's tens of thousands of hits; here each visit of two hits is a long one."""
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 1)
    monkeypatch.setattr("identity.folding.HITS_AT_ONCE", 2)
    monkeypatch.setattr("identity.folding.LEAST_DELAY", 0)
    monkeypatch.setattr("identity.folding.REST_SECONDS", 0)
    way = Pass(60, consumers=2, partitions=3, longest=(300,), size=30)
    await holds(loop, way, drawn(way, str(SEED)))
