"""Identity's throughput: the real resolver on a real database, beside plainer ways to store the same events."""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import uvloop

from identity.facts import HitFact, facts_of
from identity.resolver import Resolver
from schemas.codec import decode, encode
from schemas.topics import EVENTS
from services.runtime.delivering import Delivery
from services.runtime.migrate import migrate
from services.runtime.postgres import Connection, Database, connect
from tests.bench.measuring import Bench, Contender, Row, alternate
from tests.bench.traffic import traffic
from tests.builders import ID_KEY
from tests.conftest import fresh_database

BATCH = 500
GROWTH = 10
OWN_DOMAINS: tuple[str, ...] = ()
TOLD_EVERY = 20_000

Rounds = Sequence[Sequence[bytes]]


def measure(bench: Bench) -> list[Row]:
    """Events resolved, after some history and after ten times as much."""
    with fresh_database(bench.dsn, "") as small, fresh_database(bench.dsn, "") as large:
        for dsn in (small, large):
            asyncio.run(migrate(dsn, bench.tell))
        return uvloop.run(_measure(bench, small, large))


async def _measure(bench: Bench, small: str, large: str) -> list[Row]:
    rounds, history, events, singles = bench.scale.rounds, bench.scale.history, bench.scale.events, bench.scale.singles
    grown = GROWTH * history
    values = [encode(event) for event in itertools.islice(traffic(bench.seed), grown + rounds * events)]

    def cut(start: int, size: int) -> Rounds:
        return [values[start + number * size :][:size] for number in range(rounds)]

    here = os.getpid()
    async with connect(small, application="bench") as few, connect(large, application="bench") as many:
        await fill(bench, few, values[:history])
        await fill(bench, many, values[:grown])
        next_ones = cut(history, events)
        after = history + rounds * events
        batched, copied, one_by_one, later = await alternate(
            bench,
            Contender(f"identity, batches of {BATCH}", here, resolving(few, next_ones, BATCH)),
            Contender("COPY", here, await copying(few, next_ones)),
            Contender("identity, event by event", here, resolving(few, cut(after, singles), 1)),
            Contender(f"identity after {grown:,} events", here, resolving(many, cut(grown, events), BATCH)),
        )
    what = f"identity, batches of {BATCH}"
    return [
        Row(what, batched, "COPY of the hits, nothing derived", copied),
        Row(what, batched, "identity, event by event", one_by_one),
        Row(f"identity after {grown:,} events", later, f"identity after {history:,}", batched),
    ]


def resolving(database: Database, rounds: Rounds, size: int) -> Callable[[int], Awaitable[int]]:
    """What takes in the values of a round, `size` in a transaction."""

    async def run(number: int) -> int:
        await resolve(database, rounds[number], size)
        return len(rounds[number])

    return run


async def copying(database: Database, rounds: Rounds) -> Callable[[int], Awaitable[int]]:
    """What copies a round's hits, ready made, into a table like that of hits."""
    await database.execute("CREATE TABLE state.copied (LIKE state.hits INCLUDING ALL)")
    rows = [list(map(hit_row, facts_of(map(decode, values), ID_KEY, OWN_DOMAINS).hits)) for values in rounds]

    async def run(number: int) -> int:
        for start in range(0, len(rows[number]), BATCH):
            async with database.transaction() as connection:
                await connection.copy_records_to_table(
                    "copied", schema_name="state", columns=HitFact._fields, records=rows[number][start : start + BATCH]
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
    resolver = Resolver(database, ID_KEY, OWN_DOMAINS)
    for start in range(0, len(values), size):
        await resolver.handle(deliveries(values[start : start + size]), let_pass)
        while await resolver.work_notes():
            pass


def deliveries(values: Sequence[bytes]) -> list[Delivery]:
    return [Delivery(EVENTS.name, 0, offset, value, *decode(value)) for offset, value in enumerate(values)]


async def let_pass(_connection: Connection) -> None:
    """The fence of one who is alone."""


def hit_row(hit: HitFact) -> tuple[Any, ...]:
    """The hit as COPY takes it."""
    identifiers = [UUID(text) for text in hit.identifiers.split(",")] if hit.identifiers else None
    return (*hit[:-1], identifiers)
