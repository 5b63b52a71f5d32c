"""What identity needs beside time: bytes in Postgres for each event, and memory of the consumer's process."""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import uvloop

from schemas.codec import encode
from schemas.topics import EVENTS, IDENTITY
from services.local.processes import PROC
from services.runtime.log import Log
from services.runtime.open_log import open_log
from services.runtime.postgres import Database, connect
from tests.bench.identity import BATCH, migrated_database, resolve, traffic_values
from tests.bench.measuring import Bench, Finding
from tests.bench.processes import free_port, service
from tests.bench.traffic import ENTRIES, new_id
from tests.builders import JANUARY, form, page
from tests.conftest import make_settings

MOST_BYTES = 600
MOST_WAL = 1.5
"""Times the bytes of tables and indexes."""
MOST_MEGABYTES = 150
MOST_MORE_MEGABYTES = 10
"""So much more may the process hold after ten times the visitors, and be called flat."""
FORM_EVERY = 5
"""One visitor in so many sends a form."""
OPS_PLACE = 1
"""Identity's health is told on the port so far behind the first."""
AT_ONCE = 1_000
PATIENCE_SECONDS, TOLD_EVERY_SECONDS = 600.0, 5.0


def measure(bench: Bench) -> list[Finding]:
    """Bytes of an event, and the memory of a real process through which ever more visitors go."""
    with migrated_database(bench) as dsn:
        weight = uvloop.run(weigh(bench, dsn))
    with migrated_database(bench) as dsn:
        few, many = uvloop.run(memory(bench, dsn))
    return [*bytes_each(weight), *megabytes(bench.scale.visitors, few, many)]


class Weight(NamedTuple):
    """Bytes for each event."""

    tables: float
    indexes: float
    wal: float


async def weigh(bench: Bench, dsn: str) -> Weight:
    """Fill an empty identity, right after a checkpoint so that none comes in between."""
    values = traffic_values(bench, bench.scale.weighed)
    async with connect(dsn, application="bench") as database:
        await database.execute("CHECKPOINT")
        before = await sizes(database)
        await resolve(database, values, BATCH)
        grown = [after - earlier for after, earlier in zip(await sizes(database), before, strict=True)]
    bench.tell(f"{len(values):,} events weighed")
    return Weight(*(size / len(values) for size in grown))


async def sizes(database: Database) -> tuple[int, int, int]:
    """Bytes of the state's tables, of their indexes, and of all WAL written so far."""
    row = await database.fetchrow(
        "SELECT sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint,"
        " (pg_current_wal_insert_lsn() - '0/0')::bigint"
        " FROM pg_class WHERE relnamespace = 'state'::regnamespace AND relkind = 'r'"
    )
    assert row is not None
    return row[0], row[1], row[2]


def bytes_each(weight: Weight) -> list[Finding]:
    stored = weight.tables + weight.indexes
    figures = f"{stored:,.0f}: tables {weight.tables:,.0f}, indexes {weight.indexes:,.0f}"
    times = weight.wal / stored
    return [
        Finding("identity, bytes an event", figures, f"{MOST_BYTES}", stored <= MOST_BYTES),
        Finding("identity, WAL", f"{times:.2f} times: {weight.wal:,.0f}", f"{MOST_WAL} times", times <= MOST_WAL),
    ]


async def memory(bench: Bench, dsn: str) -> tuple[float, float]:
    """The most megabytes that the consumer's process held, after some visitors and after all of them."""
    ops_port = free_port()
    settings = make_settings(dsn, bench.folder, ops_port=ops_port - OPS_PLACE)
    few, many = bench.scale.visitors
    events = visits(random.Random(bench.seed))
    appended, held = 0, []
    async with connect(dsn, application="bench") as database, open_log(settings) as log:
        with service(IDENTITY, settings, ops_port, ops_port) as consumer:
            for count in (few, many - few):
                appended += await append(log, list(itertools.islice(events, count + count // FORM_EVERY)))
                await until_read(bench, database, appended)
                held.append(most_megabytes(consumer.pid))
    return held[0], held[1]


def visits(rng: random.Random) -> Iterator[dict[str, Any]]:
    """One visitor after another: a page view each, and of one in `FORM_EVERY` a form."""
    for number in itertools.count(1):
        visitor, moment = new_id(rng), JANUARY + number * timedelta(seconds=1)
        url, referrer = rng.choice(ENTRIES)
        yield page(visitor, new_id(rng), moment, url, referrer=referrer)
        if number % FORM_EVERY == 0:
            yield form(visitor, new_id(rng), moment + timedelta(minutes=1), f"{visitor[:12]}@customer.example")


async def append(log: Log, events: Sequence[dict[str, Any]]) -> int:
    """Append them as the collector does, and answer how many they were."""
    for start in range(0, len(events), AT_ONCE):
        part = events[start : start + AT_ONCE]
        await log.append(EVENTS.name, [(f"visitor:{event['visitor_id']}".encode(), encode(event)) for event in part])
    return len(events)


async def until_read(bench: Bench, database: Database, count: int) -> None:
    """Wait until the consumer has read so many events and has worked off all notes for it."""
    deadline, tell = time.monotonic() + PATIENCE_SECONDS, time.monotonic() + TOLD_EVERY_SECONDS
    while time.monotonic() < deadline:
        read = await database.fetchval(
            "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE consumer_group = $1", IDENTITY
        )
        left = await database.fetchval("SELECT count(*) FROM notes WHERE consumer_group = $1", IDENTITY)
        if read == count and left == 0:
            return
        if time.monotonic() > tell:
            tell += TOLD_EVERY_SECONDS
            bench.tell(f"the consumer has read {read:,} of {count:,} events")
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the consumer has read {read:,} of {count:,} events after {PATIENCE_SECONDS:.0f} s")


def most_megabytes(pid: int) -> float:
    """The most memory that the process held at once, VmHWM of proc_pid_status(5)."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024 / 1e6


def megabytes(visitors: tuple[int, int], few: float, many: float) -> list[Finding]:
    more = many - few
    what = f"identity's process, memory after {visitors[1]:,} visitors"
    return [
        Finding(what, f"{many:.0f} MB", f"under {MOST_MEGABYTES} MB", many < MOST_MEGABYTES),
        Finding(
            f"{what}, beside {visitors[0]:,}",
            f"{more:.0f} MB more",
            f"at most {MOST_MORE_MEGABYTES} MB more",
            more <= MOST_MORE_MEGABYTES,
        ),
    ]
