"""Many histories through the consumers on Postgres in one pass: each has a prefix of its own, so they never meet.

A pass shuffles all their events together, some of them twice, deals them out to partitions and consumers, and lets these
read in random batches with crashes in between. Then the rows of each history are compared with the reference model's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from services.runtime.delivering import Delivery
from tests.builders import delivery
from tests.closing import SMALL, Loop, differences, play, play_together, present
from tests.histories import make_history
from tests.law.smallest import History, as_code, smallest
from tests.reference import Rows, present_state

PREFIX = re.compile(r"\bh\d+-")
TRIES = 12
"""How many orders to try before a history is said to agree."""


@dataclass(frozen=True)
class Pass:
    """How one pass is driven."""

    histories: int
    consumers: int
    partitions: int = 4
    longest: Sequence[int] = SMALL
    """How many events the longest batch of a consumer may have, one of these."""
    size: int = 40
    """How many events a history has."""


@dataclass
class Outcome:
    """What a pass found."""

    events: int
    histories: dict[str, History]
    """By prefix."""
    wrong: dict[str, list[str]] = field(default_factory=dict)
    """Of those histories that differ: the rows too many and too few, a line each."""


async def run_pass(loop: Loop, way: Pass, seed: str) -> Outcome:
    """One pass over an empty state."""
    random = Random(seed)
    histories = {f"h{number}-": make_history(random, way.size, f"h{number}-") for number in range(way.histories)}
    log = shuffled([event for history in histories.values() for event in history], random)
    await drive(loop, log, way, random)
    outcome = Outcome(len(log), histories)
    by_history = split(await present(loop.database))
    for prefix, history in histories.items():
        expected = present_state(history)
        found = {part: by_history.get(prefix, {}).get(part, []) for part in expected}
        if found != expected:
            outcome.wrong[prefix] = differences(found, expected) or ["the same rows in another order"]
    return outcome


async def drive(loop: Loop, log: Sequence[Delivery], way: Pass, random: Random) -> None:
    if way.consumers == 1:
        return await play(loop, log, random, way.longest)
    loops = [loop, *(Loop(loop.database) for _ in range(way.consumers - 1))]
    return await play_together(loops, log, random, way.longest, way.partitions)


def shuffled(events: Sequence[dict[str, Any]], random: Random) -> list[Delivery]:
    """The events in a random order, up to half of them twice."""
    log = [delivery(payload) for payload in events]
    log += random.sample(log, random.randrange(len(log) // 2 + 1))
    random.shuffle(log)
    return log


def split(state: Rows) -> dict[str, Rows]:
    """The rows by history; each names its own in every row."""
    by_history: dict[str, Rows] = {}
    for part, rows in state.items():
        for row in rows:
            found = PREFIX.search(repr(row))
            prefix = found.group() if found else "nobody's"
            by_history.setdefault(prefix, {}).setdefault(part, []).append(row)
    return by_history


async def report(loop: Loop, outcome: Outcome, way: Pass, seed: str) -> str:
    """What differs, and the smallest history that does, as code; empty when nothing differs."""
    if not outcome.wrong:
        return ""
    prefix, lines = min(outcome.wrong.items(), key=lambda item: len(item[1]))

    async def differs(history: History) -> bool:
        return any([await differs_in_order(loop, history, way, f"{seed} {number}") for number in range(TRIES)])

    history = outcome.histories[prefix]
    least = await smallest(history, differs) if await differs(history) else history
    what = "the smallest history that differs" if least is not history else "a history that differs among others only"
    return "\n".join(
        [f"{len(outcome.wrong)} of {way.histories} histories differ; seed {seed!r}", *lines, what, as_code(least)]
    )


async def differs_in_order(loop: Loop, history: History, way: Pass, seed: str) -> bool:
    await loop.empty()
    await drive(loop, shuffled(history, Random(seed)), way, Random(seed))
    return await present(loop.database) != present_state(history)
