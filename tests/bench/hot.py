"""A visitor with a hundred thousand hits, such as a screen in a shop window: what it costs, and whether it slows others."""

import os
import random
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop

from schemas.codec import encode
from schemas.topics import IDENTITY
from services.runtime.postgres import Database, connect
from tests.bench.identity import (
    BATCH,
    Rounds,
    cut,
    fill,
    migrated_database,
    new_resolver,
    resolve,
    resolving,
    traffic_values,
    work_notes,
)
from tests.bench.measuring import (
    Bench,
    Contender,
    Finding,
    Row,
    Sample,
    alternate,
    cpu_of,
    cpu_of_postgres,
    cpu_ratio,
)
from tests.bench.traffic import new_id
from tests.builders import INSIDE, JANUARY, SITE, page
from tests.conftest import fresh_database

ONE_IN = 10
EVERY = timedelta(seconds=1)
"""It reports this often, so that its visits, of twelve hours at most, have 43,200 hits."""
MOST_TIMES_WITHOUT = 1.2
LONGEST_BATCH_SECONDS = 1.0


def measure(bench: Bench) -> list[Row | Finding]:
    """The hot visitor's hits as they come; then normal traffic, without more of them among it, with, and with late ones."""
    with migrated_database(bench) as without, migrated_database(bench) as beside:
        rows = uvloop.run(stream(bench, without, beside))
        with fresh_database(bench.dsn, f"TEMPLATE {urlsplit(beside).path[1:]}") as belated:
            return [*rows, *uvloop.run(others(bench, without, beside, belated))]


async def stream(bench: Bench, without: str, beside: str) -> list[Row]:
    """The hot visitor alone, each hit after the one before."""
    scale, here = bench.scale, os.getpid()
    values = traffic_values(bench, scale.history + scale.rounds * scale.events)
    coming = hits(random.Random(bench.seed), range(scale.hot))
    async with connect(without, application="bench") as plain, connect(beside, application="bench") as hot:
        for database in (plain, hot):
            await fill(bench, database, values[: scale.history])
        own = cut(coming, 0, scale.rounds, scale.hot // scale.rounds)
        normal = cut(values, scale.history, scale.rounds, scale.events)
        what = f"{scale.hot:,} hits of one visitor, in order"
        ours, theirs = await alternate(
            bench,
            Contender(what, here, resolving(hot, own, BATCH)),
            Contender("normal traffic", here, resolving(plain, normal, BATCH)),
        )
    return [Row(what, ours, "normal traffic", theirs)]


async def others(bench: Bench, *dsns: str) -> list[Row | Finding]:
    """Everybody else: the same events alone, with the hot visitor's next hits among them, and with late ones."""
    scale, rng = bench.scale, random.Random(bench.seed + 1)
    start, size = scale.history + scale.rounds * scale.events, scale.rounds * scale.events
    normal = cut(traffic_values(bench, start + size), start, scale.rounds, scale.events)
    following = hits(rng, range(scale.hot, scale.hot + size))
    late = hits(rng, (rng.uniform(0, scale.hot) for _ in range(size)))
    coming = [normal, mixed(normal, following), mixed(normal, late)]
    names = ["without the hot visitor", f"its next hits among others', one in {ONE_IN}", "its late hits among them"]
    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(connect(dsn, application="bench")) for dsn in dsns]
        runs = [Batches(database, rounds) for database, rounds in zip(pools, coming, strict=True)]
        alone, *among = await alternate(bench, *(
            Contender(name, os.getpid(), run.run) for name, run in zip(names, runs, strict=True)
        ))  # fmt: skip
        found: list[Row | Finding] = []
        for name, samples, run in zip(names[1:], among, runs[1:], strict=True):
            what = f"hot visitor, {name}"
            found += [
                Row(what, samples, "normal traffic without it", alone),
                cost(what, samples, alone, await run.do_what_was_put_off(bench)),
                latency(what, run, runs[0]),
            ]
    return found


def cost(what: str, samples: Sequence[Sample], alone: Sequence[Sample], later: "Later") -> Finding:
    """The CPU of an event, and the part of a core that what is put off takes while it is done once in its delay: to others
    that is as if so much of the CPU that their events have were gone."""
    share = later.cpu / later.delay if later.delay else 0.0
    times = cpu_ratio(samples, alone) + share / sum(sample.service + sample.postgres for sample in alone) * seconds_of(
        alone
    )
    figures = f"{times:.2f} times"
    if later.delay:
        figures += f", with {later.cpu:.1f} s of CPU once in {later.delay:.0f} s for what is put off"
    return Finding(
        f"{what}: CPU an event", figures, f"{MOST_TIMES_WITHOUT} times without it", times <= MOST_TIMES_WITHOUT
    )


def seconds_of(samples: Sequence[Sample]) -> float:
    return sum(sample.seconds for sample in samples)


def latency(what: str, run: "Batches", alone: "Batches") -> Finding:
    """How long a full batch takes, from its first record to its last note."""
    times = median(run.seconds) / median(alone.seconds)
    figures = f"{median(run.seconds) * 1000:.0f} ms, longest {run.longest * 1000:.0f} ms"
    met = times <= MOST_TIMES_WITHOUT and run.longest < LONGEST_BATCH_SECONDS
    goal = f"{MOST_TIMES_WITHOUT} times without it, none over {LONGEST_BATCH_SECONDS:.0f} s"
    return Finding(f"{what}: time of a batch", f"{times:.2f} times: {figures}", goal, met)


class Later(NamedTuple):
    """What was put off: seconds until it is due, and CPU seconds that it took then, all of it; 0 when there was nothing."""

    delay: float
    cpu: float


class Batches:
    """Takes in the values of a round, and remembers how long each full batch took."""

    def __init__(self, database: Database, rounds: Rounds) -> None:
        self._database = database
        self._rounds = rounds
        self.seconds: list[float] = []
        self.longest = 0.0
        """Also of what was put off."""
        self._delay = 0.0

    async def run(self, number: int) -> int:
        values = self._rounds[number]
        for start in range(0, len(values), BATCH):
            began = perf_counter()
            await resolve(self._database, values[start : start + BATCH], BATCH)
            if start + BATCH <= len(values):
                self.seconds.append(perf_counter() - began)
            self._delay = max(self._delay, await self._until_due())
        self.longest = max(self.longest, *self.seconds)
        return len(values)

    async def do_what_was_put_off(self, bench: Bench) -> Later:
        """All of it now, though it is not due yet: no waiting, in which Postgres would tidy up at this one's expense."""
        resolver, cpu = new_resolver(self._database), 0.0
        while await self._until_due() > 0:
            await self._database.execute("UPDATE notes SET due_at = '-infinity' WHERE consumer_group = $1", IDENTITY)
            before, began = cpu_of(os.getpid()) + cpu_of_postgres(bench.folder), perf_counter()
            await work_notes(resolver)
            self.longest = max(self.longest, perf_counter() - began)
            cpu += cpu_of(os.getpid()) + cpu_of_postgres(bench.folder) - before
        return Later(self._delay, cpu)

    async def _until_due(self) -> float:
        """Seconds until the last note is due; 0 when none waits."""
        return await self._database.fetchval(
            "SELECT coalesce(extract(epoch FROM max(due_at) - clock_timestamp()), 0)::float8"
            " FROM notes WHERE consumer_group = $1 AND due_at > '-infinity'", IDENTITY
        ) or 0.0  # fmt: skip


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
