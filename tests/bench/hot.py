"""A visitor with a hundred thousand hits, such as a screen in a shop window: what it costs, and whether it slows others."""

import os
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from statistics import median
from time import perf_counter

import uvloop

from schemas.codec import encode
from services.runtime.postgres import Database, connect
from tests.bench.identity import BATCH, Rounds, cut, fill, migrated_database, resolve, resolving, traffic_values
from tests.bench.measuring import Bench, Contender, Finding, Row, Sample, alternate, cpu_ratio
from tests.bench.traffic import new_id
from tests.builders import INSIDE, JANUARY, SITE, page

ONE_IN = 10
EVERY = timedelta(seconds=1)
"""It reports this often, so that its visits, of twelve hours at most, have 43,200 hits."""
MOST_TIMES_WITHOUT = 1.2


def measure(bench: Bench) -> list[Row | Finding]:
    """The hot visitor's hits as they come; then normal traffic, with more of them among it and without."""
    with migrated_database(bench) as cool, migrated_database(bench) as warm:
        return uvloop.run(_measure(bench, cool, warm))


async def _measure(bench: Bench, cool: str, warm: str) -> list[Row | Finding]:
    rounds, history, size, hot = bench.scale.rounds, bench.scale.history, bench.scale.events, bench.scale.hot
    rng, each, here = random.Random(bench.seed), hot // rounds, os.getpid()
    values = traffic_values(bench, history + 2 * rounds * size)
    first, second = cut(values, history, rounds, size), cut(values, history + rounds * size, rounds, size)
    stream = hits(rng, range(hot + rounds * size))
    late = hits(rng, (rng.uniform(0, hot) for _ in range(rounds * size)))
    async with connect(cool, application="bench") as without, connect(warm, application="bench") as beside:
        await fill(bench, without, values[:history])
        await fill(bench, beside, values[:history])
        streamed, normal = await alternate(
            bench,
            Contender(f"{hot:,} hits of one visitor", here, resolving(beside, cut(stream, 0, rounds, each), BATCH)),
            Contender("normal traffic", here, resolving(without, first, BATCH)),
        )
        runs = [
            Batches(without, second),
            Batches(beside, mixed(first, stream[hot:])),
            Batches(beside, mixed(second, late)),
        ]
        names = ["without the hot visitor", f"its next hits among others', one in {ONE_IN}", "its late hits among them"]
        alone, *among = await alternate(
            bench, *(Contender(name, here, run.run) for name, run in zip(names, runs, strict=True))
        )
    rows = [Row(f"{hot:,} hits of one visitor, in order", streamed, "normal traffic", normal)]
    found: list[Finding] = []
    for name, samples, run in zip(names[1:], among, runs[1:], strict=True):
        what = f"hot visitor, {name}"
        rows.append(Row(what, samples, "normal traffic without it", alone))
        found += [cost(what, samples, alone), latency(what, run.seconds, runs[0].seconds)]
    return [*rows, *found]


def cost(what: str, samples: Sequence[Sample], alone: Sequence[Sample]) -> Finding:
    times = cpu_ratio(samples, alone)
    return Finding(f"{what}: CPU an event", f"{times:.2f} times", *_goal(times))


def latency(what: str, seconds: Sequence[float], alone: Sequence[float]) -> Finding:
    """How long a full batch takes, from its first record to its last note."""
    times = median(seconds) / median(alone)
    figures = f"{median(seconds) * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms"
    return Finding(f"{what}: time of a batch", f"{times:.2f} times: {figures}", *_goal(times))


def _goal(times: float) -> tuple[str, bool]:
    return f"{MOST_TIMES_WITHOUT} times without it", times <= MOST_TIMES_WITHOUT


class Batches:
    """Takes in the values of a round, and remembers how long each full batch took."""

    def __init__(self, database: Database, rounds: Rounds) -> None:
        self._database = database
        self._rounds = rounds
        self.seconds: list[float] = []

    async def run(self, number: int) -> int:
        values = self._rounds[number]
        for start in range(0, len(values), BATCH):
            began = perf_counter()
            await resolve(self._database, values[start : start + BATCH], BATCH)
            if start + BATCH <= len(values):
                self.seconds.append(perf_counter() - began)
        return len(values)


def hits(rng: random.Random, places: Iterable[float]) -> list[bytes]:
    """Page views of the one visitor, each at its place in the order, a whole number or between two."""
    return [encode(page("hot", new_id(rng), JANUARY + place * EVERY, SITE, referrer=INSIDE)) for place in places]


def mixed(rounds: Rounds, others: Sequence[bytes]) -> Rounds:
    """The rounds with one of the others, in their order, as every `ONE_IN`th."""
    coming = iter(others)
    return [
        [
            value
            for place, own in enumerate(values, 1)
            for value in ([own, next(coming)] if place % (ONE_IN - 1) == 0 else [own])
        ]
        for values in rounds
    ]
