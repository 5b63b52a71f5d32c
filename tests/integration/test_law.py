"""The law: the present state is a function of the set of events, whatever their order, repetition, cuts and crashes."""

from random import Random

import pytest

from services.runtime.delivering import Delivery
from tests.builders import delivery
from tests.closing import Loop, differences, play, play_together, present
from tests.histories import make_history
from tests.reference import present_state


def shuffled_log(seed: str) -> list[Delivery]:
    """The history of a seed in a random order, up to half of it twice."""
    random = Random(seed)
    log = [delivery(payload) for payload in make_history(random)]
    log += random.sample(log, random.randrange(len(log) // 2))
    random.shuffle(log)
    return log


async def differs(loop: Loop, log: list[Delivery]) -> list[str]:
    return differences(await present(loop.database), present_state(each.body for each in log))


@pytest.mark.parametrize("seed", range(30))
async def test_any_order_repetition_and_crash_ends_in_the_same_state(loop: Loop, seed: int) -> None:
    log = shuffled_log(f"alone {seed}")
    await play(loop, log, Random(seed))
    assert await differs(loop, log) == []


@pytest.mark.parametrize("seed", range(8))
async def test_two_consumers_at_once_end_in_the_same_state(loop: Loop, seed: int) -> None:
    log = shuffled_log(f"together {seed}")
    await play_together([loop, Loop(loop.database)], log, Random(seed))
    assert await differs(loop, log) == []


@pytest.mark.parametrize("seed", range(3))
async def test_a_history_in_one_batch_and_event_by_event_ends_in_the_same_state(loop: Loop, seed: int) -> None:
    log = shuffled_log(f"whole {seed}")
    await loop.handle(log)
    await loop.settle()
    assert await differs(loop, log) == []
    await loop.empty()
    await loop.take(*(each.body for each in log))
    assert await differs(loop, log) == []
