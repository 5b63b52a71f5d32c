"""Identity's throughput: the real resolver on a real database, beside plainer ways to store the same events."""

import asyncio
import itertools
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import uvloop

from identity.fact_store import HIT_COLUMNS
from identity.facts import facts_of
from identity.resolver import Resolver
from schemas.codec import decode, encode
from schemas.topics import EVENTS
from services.runtime.consumer import BATCH_RECORDS
from services.runtime.delivering import Delivery
from services.runtime.migrate import migrate
from services.runtime.postgres import Connection, Database, connect
from tests.bench.measuring import Bench, Contender, Finding, Row, Sample, alternate, cpu_each, rate_per_core
from tests.bench.traffic import traffic
from tests.builders import ID_KEY
from tests.conftest import fresh_database

BATCH = BATCH_RECORDS
"""As many as a consumer takes at once when it has much to do."""
OWN_DOMAINS: tuple[str, ...] = ()
TOLD_EVERY = 20_000
PART_OF_COPY, LATER_PART_OF_COPY = 0.15, 0.3
TIMES_ONE_BY_ONE = 20

Rounds = Sequence[Sequence[bytes]]


def measure(bench: Bench) -> list[Row | Finding]:
    """Events resolved, beside a COPY of their hits and beside events that come one by one."""
    with migrated_database(bench) as dsn:
        return uvloop.run(_measure(bench, dsn))


async def _measure(bench: Bench, dsn: str) -> list[Row | Finding]:
    rounds, history, events, singles = bench.scale.rounds, bench.scale.history, bench.scale.events, bench.scale.singles
    values = traffic_values(bench, history + rounds * (events + singles))
    next_ones, after = cut(values, history, rounds, events), history + rounds * events
    here, what = os.getpid(), f"identity, batches of {BATCH}"
    async with connect(dsn, application="bench") as database:
        await fill(bench, database, values[:history])
        batched, copied, one_by_one = await alternate(
            bench,
            Contender(what, here, resolving(database, next_ones, BATCH)),
            Contender("COPY", here, await copying(database, next_ones)),
            Contender("identity, event by event", here, resolving(database, cut(values, after, rounds, singles), 1)),
        )
    return [
        Row(what, batched, "COPY of the hits, nothing derived", copied),
        Row(what, batched, "identity, event by event", one_by_one),
        part_of_copy(batched, copied),
        times_one_by_one(batched, one_by_one),
    ]


def part_of_copy(batched: Sequence[Sample], copied: Sequence[Sample]) -> Finding:
    """Events for each CPU second of the consumer, beside rows for each of COPY's client and server, who work in turn: as
    many as one session copies in a second when nothing disturbs it."""
    ours, theirs = rate_per_core(batched), 1 / sum(cpu_each(copied))
    what, goal = "identity, events a second and core, beside COPY", f"{PART_OF_COPY} of it, then {LATER_PART_OF_COPY}"
    return Finding(what, f"{ours / theirs:.2f}: {ours:,.0f} beside {theirs:,.0f}", goal, ours / theirs >= PART_OF_COPY)


def times_one_by_one(batched: Sequence[Sample], one_by_one: Sequence[Sample]) -> Finding:
    """Events for each CPU second of the consumer, both ways."""
    times = rate_per_core(batched) / rate_per_core(one_by_one)
    figures = f"{rate_per_core(batched):,.0f} beside {rate_per_core(one_by_one):,.0f}"
    what = "identity, events a second and core, beside a transaction an event"
    return Finding(what, f"{times:.0f} times: {figures}", f"{TIMES_ONE_BY_ONE} times", times >= TIMES_ONE_BY_ONE)


@contextmanager
def migrated_database(bench: Bench) -> Iterator[str]:
    with fresh_database(bench.dsn, "") as dsn:
        asyncio.run(migrate(dsn, lambda _: None))
        yield dsn


def traffic_values(bench: Bench, count: int) -> list[bytes]:
    """So many events of the bench's traffic, as the log holds them."""
    return [encode(event) for event in itertools.islice(traffic(bench.seed), count)]


def cut(values: Sequence[bytes], start: int, rounds: int, size: int) -> Rounds:
    """Rounds of this size, from `start` on."""
    return [values[start + number * size :][:size] for number in range(rounds)]


def resolving(database: Database, rounds: Rounds, size: int) -> Callable[[int], Awaitable[int]]:
    """What takes in the values of a round, `size` in a transaction."""

    async def run(number: int) -> int:
        await resolve(database, rounds[number], size)
        return len(rounds[number])

    return run


async def copying(database: Database, rounds: Rounds) -> Callable[[int], Awaitable[int]]:
    """What copies a round's hits, ready made, into a table like that of hits; visitors have numbers already."""
    await database.execute("CREATE TABLE state.copied (LIKE state.hits INCLUDING ALL)")
    numbers = defaultdict[str, int](itertools.count(1).__next__)
    facts = [facts_of(map(decode, values), ID_KEY, OWN_DOMAINS) for values in rounds]
    rows = [[(numbers[hit.visitor_id], *hit[1:]) for hit in each.hits] for each in facts]

    async def run(number: int) -> int:
        for start in range(0, len(rows[number]), BATCH):
            async with database.transaction() as connection:
                await connection.copy_records_to_table(
                    "copied", schema_name="state", columns=HIT_COLUMNS, records=rows[number][start : start + BATCH]
                )
        return len(rows[number])

    return run


async def fill(bench: Bench, database: Database, values: Sequence[bytes]) -> None:
    """Give identity its history."""
    for start in range(0, len(values), TOLD_EVERY):
        await resolve(database, values[start : start + TOLD_EVERY], BATCH)
        bench.tell(f"identity's history: {min(start + TOLD_EVERY, len(values)):,} of {len(values):,} events")
    await database.execute("VACUUM ANALYZE")


async def resolve(database: Database, values: Sequence[bytes], size: int) -> None:
    """What the consumer does with values from the log: decode, handle, work off the notes that this leaves."""
    resolver = new_resolver(database)
    for start in range(0, len(values), size):
        await resolver.handle(deliveries(values[start : start + size]), let_pass)
        await work_notes(resolver)


def new_resolver(database: Database) -> Resolver:
    return Resolver(database, ID_KEY, OWN_DOMAINS)


async def work_notes(resolver: Resolver) -> None:
    """Work off all notes that are due."""
    while await resolver.work_notes():
        pass


def deliveries(values: Sequence[bytes]) -> list[Delivery]:
    return [Delivery(EVENTS.name, 0, offset, value, *decode(value)) for offset, value in enumerate(values)]


async def let_pass(_connection: Connection) -> None:
    """The fence of one who is alone."""
