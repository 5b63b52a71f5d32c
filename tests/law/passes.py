"""Many histories through the consumers on Postgres in one pass: each has a prefix of its own, so they never meet.

A pass shuffles all their events together, some of them twice, deals them out to partitions and consumers, and lets these
read in random batches with crashes in between. Then the rows of each history are compared with those that are due.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from services.runtime.delivering import Delivery
from tests.builders import delivery
from tests.closing import SMALL, Loop, differences, play, play_together, present
from tests.histories import make_history
from tests.law.parted import PARTING_BYTES, parted
from tests.law.smallest import History, as_code, smallest
from tests.reference import Rows, present_state

PREFIX = re.compile(r"\bh\d+-")
TRIES, FIRST_TRIES = 24, 120
"""How many orders a history is tried in before it is said to agree when it is alone, and so before it is cut down."""


@dataclass(frozen=True)
class Pass:
    """How a pass is driven."""

    histories: int
    consumers: int
    partitions: int = 4
    longest: Sequence[int] = SMALL
    """How many events the longest batch of a consumer may have, one of these."""
    size: int = 40
    """How many events a history has."""


@dataclass(frozen=True)
class Case:
    """A history, and the rows that are due."""

    history: History
    due: Rows


Cases = Mapping[str, Case]
"""By the prefix of all names and ids."""


def drawn(way: Pass, seed: str) -> Cases:
    """Histories, and what the reference model makes of them."""
    random = Random(seed)
    histories = {f"h{number}-": make_history(random, way.size, f"h{number}-") for number in range(way.histories)}
    return {prefix: Case(history, present_state(history)) for prefix, history in histories.items()}


def drawn_parted(way: Pass, seed: str) -> Cases:
    """Histories in which two are taken for one and parted again, and the state as if they had never met."""
    random = Random(seed)
    told = {
        prefix: parted(make_history(random, way.size, prefix), random.randbytes(PARTING_BYTES), prefix)
        for prefix in (f"h{number}-" for number in range(way.histories))
    }
    return {prefix: Case(each.parted, present_state(each.never_met)) for prefix, each in told.items()}


async def run_pass(loop: Loop, way: Pass, cases: Cases, seed: str) -> dict[str, list[str]]:
    """One pass, beginning with an empty state. Of the histories that differ the rows too many and too few, a line each."""
    await loop.empty()
    await drive(loop, [event for case in cases.values() for event in case.history], way, Random(seed))
    found = by_history(await present(loop.database))
    wrong = {}
    for prefix, case in cases.items():
        rows = {part: found.get(prefix, {}).get(part, []) for part in case.due}
        if rows != case.due:
            wrong[prefix] = differences(rows, case.due) or ["the same rows in another order"]
    return wrong


async def drive(loop: Loop, events: Sequence[dict[str, Any]], way: Pass, random: Random) -> None:
    """The events in a random order, up to half of them twice, through as many consumers as the pass has."""
    log: list[Delivery] = [delivery(payload) for payload in events]
    log += random.sample(log, random.randrange(len(log) // 2 + 1))
    random.shuffle(log)
    if way.consumers == 1:
        await play(loop, log, random, way.longest)
    else:
        loops = [loop, *(Loop(loop.database) for _ in range(way.consumers - 1))]
        await play_together(loops, log, random, way.longest, way.partitions)


def by_history(state: Rows) -> dict[str, Rows]:
    """The rows of each history by its prefix, which every row has in it."""
    found: dict[str, Rows] = {}
    for part, rows in state.items():
        for row in rows:
            prefix = PREFIX.search(repr(row))
            found.setdefault(prefix.group() if prefix else "", {}).setdefault(part, []).append(row)
    return found


async def report(loop: Loop, way: Pass, cases: Cases, wrong: Mapping[str, list[str]], seed: str) -> str:
    """What differs, and the smallest history that still differs from the reference when it is alone, as code."""
    tries = FIRST_TRIES

    async def differs(history: History) -> bool:
        nonlocal tries
        for number in range(tries):
            # Alone all of it may come in one batch, where among others it came in several.
            driven = way if number % 2 else replace(way, longest=SMALL)
            await loop.empty()
            await drive(loop, history, driven, Random(f"{seed} {number}"))
            if await present(loop.database) != present_state(history):
                tries = max(TRIES, 4 * number)
                return True
        return False

    return await shown(cases, wrong, differs, seed)


async def shown(
    cases: Cases, wrong: Mapping[str, list[str]], differs: Callable[[History], Awaitable[bool]], seed: str
) -> str:
    """Of the histories that differ the one in the fewest rows: these rows, and what of it `differs` when it is alone."""
    prefix, lines = min(wrong.items(), key=lambda item: len(item[1]))
    history = cases[prefix].history
    alone = await differs(history)
    least = await smallest(history, differs) if alone else history
    what = "The smallest history that differs:" if alone else "It differs among others only; the whole history:"
    return "\n".join([f"{len(wrong)} of {len(cases)} histories differ; seed {seed!r}.", *lines, what, as_code(least)])
