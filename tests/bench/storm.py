"""Merge storms: thousands of events that all end in one lead, beside normal traffic on the same database."""

import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from time import perf_counter

import uvloop

from schemas.codec import encode
from services.runtime.postgres import Connection, Database, connect
from tests.bench.identity import BATCH, cut, fill, migrated_database, resolving, traffic_values
from tests.bench.measuring import Bench, Contender, Finding, Row, Sample, alternate, cpu_ratio
from tests.bench.traffic import new_id
from tests.builders import JANUARY, SITE, form, make_event

MOST_TIMES_NORMAL = 3.0
LONGEST_LOCK_SECONDS = 1.0


def one_mailbox(rng: random.Random, count: int) -> list[bytes]:
    """Forms from as many cookies, all with one e-mail."""
    return [
        encode(form(new_id(rng), new_id(rng), JANUARY + timedelta(seconds=number), "everybody@customer.example"))
        for number in range(count)
    ]


def chain(rng: random.Random, count: int) -> list[bytes]:
    """As many users, each of whom says, from a cookie of its own, that it was the next one before."""
    return [
        encode(
            make_event(
                "identify",
                new_id(rng),
                JANUARY + timedelta(seconds=number),
                visitor_id=new_id(rng),
                url=SITE,
                user_id=f"user-{number}",
                previous_id=f"user-{number + 1}",
            )
        )
        for number in range(count)
    ]


def shuffled_chain(rng: random.Random, count: int) -> list[bytes]:
    """Another such chain, whose links come in any order: pieces of any length merge."""
    values = [value.replace(b'"user-', b'"other-') for value in chain(rng, count)]
    rng.shuffle(values)
    return values


STORMS: dict[str, Callable[[random.Random, int], list[bytes]]] = {
    "{:,} cookies to one lead": one_mailbox,
    "{:,} leads chained through user ids": chain,
    "the same, links in any order": shuffled_chain,
}


def measure(bench: Bench) -> list[Row | Finding]:
    """Each storm beside normal traffic: what an event costs, and how long a lock was held."""
    with migrated_database(bench) as dsn:
        return uvloop.run(_measure(bench, dsn))


async def _measure(bench: Bench, dsn: str) -> list[Row | Finding]:
    rounds, history, here = bench.scale.rounds, bench.scale.history, os.getpid()
    size = bench.scale.storm // rounds
    values = traffic_values(bench, history + rounds * size)
    async with connect(dsn, application="bench") as database:
        await fill(bench, database, values[:history])
        contenders = [Contender("normal traffic", here, resolving(database, cut(values, history, rounds, size), BATCH))]
        watched = []
        for name, storm in STORMS.items():
            events = storm(random.Random(f"{bench.seed} {name}"), rounds * size)  # no two have one event id
            watched.append(Stopwatch(database))
            contenders.append(
                Contender(name.format(len(events)), here, resolving(watched[-1], cut(events, 0, rounds, size), BATCH))
            )
        normal, *stormy = await alternate(bench, *contenders)
        await check_merged(database, rounds * size)
    names = [contender.name for contender in contenders[1:]]
    rows = [Row(name, ours, "normal traffic", normal) for name, ours in zip(names, stormy, strict=True)]
    found = [cost(row.what, row.ours, normal) for row in rows]
    locks = [longest_lock(name, stopwatch.longest) for name, stopwatch in zip(names, watched, strict=True)]
    return [*rows, *found, *locks]


def cost(what: str, ours: Sequence[Sample], normal: Sequence[Sample]) -> Finding:
    """CPU an event, in all rounds; and in the last of both, for what grows while the storm lasts."""
    times, last = cpu_ratio(ours, normal), cpu_ratio(ours[-1:], normal[-1:])
    measured = f"{times:.1f} times, {last:.1f} in the last of {len(ours)} parts"
    return Finding(
        f"{what}, CPU an event", measured, f"{MOST_TIMES_NORMAL:.0f} times normal", times <= MOST_TIMES_NORMAL
    )


def longest_lock(what: str, seconds: float) -> Finding:
    met = seconds < LONGEST_LOCK_SECONDS
    return Finding(f"{what}, longest transaction", f"{seconds:.2f} s", f"under {LONGEST_LOCK_SECONDS:.0f} s", met)


class Stopwatch(Database):
    """The same database, with a watch on its transactions: no lock is held longer than the longest of them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._pool, database.application)
        self.longest = 0.0

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Connection]:
        """With its begin and its commit."""
        began = perf_counter()
        async with super().transaction(durable=durable) as connection:
            yield connection
        self.longest = max(self.longest, perf_counter() - began)


async def check_merged(database: Database, count: int) -> None:
    """Raises RuntimeError when a chain is not one lead."""
    leads = await database.fetch(
        "SELECT count(*) AS size FROM state.identifiers WHERE value LIKE 'user:%' GROUP BY lead"
    )
    if [row["size"] for row in leads] != [count + 1, count + 1]:
        raise RuntimeError(f"the chains of {count + 1:,} users are {len(leads):,} leads")
