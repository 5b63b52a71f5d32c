"""Whether an event costs more when identity holds ten and a hundred times the history.

The longest history is not resolved event by event: it is the one before it, copied in the database under other names.
What that makes is what the consumer would have made; a small one is made both ways first, and compared.
"""

import itertools
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import uvloop

from schemas.codec import encode
from schemas.identifier import identifier_id
from services.runtime.postgres import Connection, Database, columns, connect
from tests.bench.identity import BATCH, cut, fill, migrated_database, resolve, resolving
from tests.bench.measuring import Bench, Contender, Finding, Row, alternate, cpu_ratio
from tests.bench.traffic import traffic
from tests.builders import ID_KEY
from tests.conftest import fresh_database

GROWTH = 10
MOST_TIMES_SHORT = 1.2
MOST_TIMES_PAGES = 1.5
"""A hundred times as large, a B-tree gains a level: a page more for each look into one of three or four."""
TRIED_EVENTS, TRIED_COPIES, TRIED_LATER = 300, 2, 200
COPY_SECONDS = 600

TABLES = ("identifiers", "visitors", "carriers", "hits", "statements", "visits")
"""What the bench's traffic fills, and the copies are made of."""

NAME = "n || '-' || t.{0}"
_ID = "(SELECT new_id FROM renamed WHERE renamed.id = t.{0} AND copy = n)"
IDS = """CASE WHEN t.{0} IS NOT NULL THEN ARRAY(
    SELECT new_id FROM unnest(t.{0}) WITH ORDINALITY AS old (id, place) JOIN renamed USING (id)
    WHERE copy = n ORDER BY place) END"""
RENAMED = {
    **dict.fromkeys(("visitor_id", "event_id", "touch_id"), NAME),
    **dict.fromkeys(("id", "lead", "identifier", "scope", "identified", "owner"), _ID),
    "visitor": "(SELECT v.number FROM visitors old JOIN visitors v ON v.visitor_id = n || '-' || old.visitor_id"
    " WHERE old.number = t.{0})",
    "identifiers": IDS,
    "value": "'email:' || n || '-' || substr(t.{0}, length('email:') + 1)",
}
"""What stands in copy `n` instead of a column: names with the number in front, and the ids of such names."""


def measure(bench: Bench) -> list[Row | Finding]:
    """The next events after a short history, after ten and after a hundred times as many."""
    with migrated_database(bench) as resolved, migrated_database(bench) as copied:
        uvloop.run(check_copies(bench, resolved, copied))
    lengths = [bench.scale.history * times for times in (1, GROWTH, GROWTH**2)]
    made = list(itertools.islice(traffic(bench.seed), lengths[1] + 2 * bench.scale.rounds * bench.scale.events))
    values = [encode(event) for event in made]
    with migrated_database(bench) as short, migrated_database(bench) as long:
        uvloop.run(filled(bench, short, values[: lengths[0]]))
        uvloop.run(filled(bench, long, values[: lengths[1]]))
        with fresh_database(bench.dsn, f"TEMPLATE {urlsplit(long).path[1:]}") as longest:
            uvloop.run(grown(bench, longest, lengths[2]))
            anyone = [encode(event) for event in spread(random.Random(bench.seed), made[lengths[1] :], GROWTH)]
            return uvloop.run(_measure(bench, lengths, [
                (short, values[lengths[0] :]), (long, values[lengths[1] :]), (longest, anyone)
            ]))  # fmt: skip


async def _measure(
    bench: Bench, lengths: Sequence[int], histories: Sequence[tuple[str, Sequence[bytes]]]
) -> list[Row | Finding]:
    names = [f"identity after {length:,} events" for length in lengths]
    size, rounds = bench.scale.events, bench.scale.rounds
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(connect(dsn, application="bench")) for dsn, _ in histories]
        for name, database, (_, coming) in zip(names, databases, histories, strict=True):
            await resolve(database, coming[: rounds * size], BATCH)
            bench.tell(f"{name}: warm")
        before = [await pages_touched(database) for database in databases]
        samples = await alternate(bench, *(
            Contender(name, os.getpid(), resolving(database, cut(coming, rounds * size, rounds, size), BATCH))
            for name, database, (_, coming) in zip(names, databases, histories, strict=True)
        ))  # fmt: skip
        after = [await pages_touched(database) for database in databases]
    pages = [(late - early) / (rounds * size) for early, late in zip(before, after, strict=True)]
    rows = [Row(name, ours, names[0], samples[0]) for name, ours in zip(names[1:], samples[1:], strict=True)]
    return [*rows, *(found for row, each in zip(rows, pages[1:], strict=True) for found in growth(row, each, pages[0]))]


def growth(row: Row, pages: float, pages_before: float) -> list[Finding]:
    """CPU, and the pages of Postgres that an event touches: those are what it costs on a machine without other work."""
    times, more = cpu_ratio(row.ours, row.theirs), pages / pages_before
    than = f"times that {row.baseline.partition(' ')[2]}"
    return [
        Finding(
            f"{row.what}: CPU an event", f"{times:.2f} times", f"{MOST_TIMES_SHORT} {than}", times <= MOST_TIMES_SHORT
        ),
        Finding(
            f"{row.what}: pages touched an event",
            f"{more:.2f} times: {pages:.0f}",
            f"{MOST_TIMES_PAGES} {than}",
            more <= MOST_TIMES_PAGES,
        ),
    ]


async def pages_touched(database: Database) -> int:
    """How many pages the database's sessions have looked at so far, in its memory or not."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    count: int = await database.fetchval(
        "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    return count


async def filled(bench: Bench, dsn: str, values: Sequence[bytes]) -> None:
    """Give the database its history, and leave it."""
    async with connect(dsn, application="bench") as database:
        await fill(bench, database, values)


async def grown(bench: Bench, dsn: str, length: int) -> None:
    """Make the history `GROWTH` times as long as it is."""
    async with connect(dsn, application="bench", statement_seconds=COPY_SECONDS) as database:
        bench.tell(f"identity's history: to {length:,} events by copying, which takes half a minute")
        await add_copies(database, range(1, GROWTH))
        await database.execute("VACUUM ANALYZE")


async def add_copies(
    database: Database, numbers: Sequence[int], more: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Add copies of all that stands there, none of it a copy yet, under these numbers; of `more` tables as well, by what
    stands in a copy instead of their columns."""
    async with database.transaction() as connection:
        await connection.execute(
            "CREATE TEMPORARY TABLE renamed (id uuid, copy integer, new_id uuid, PRIMARY KEY (id, copy)) ON COMMIT DROP"
        )
        ids = [
            (identifier_id(name, ID_KEY), number, identifier_id(renamed_name(name, number), ID_KEY))
            for name in await names_in(connection)
            for number in numbers
        ]
        await connection.execute(
            "INSERT INTO renamed SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[])", *columns(ids)
        )
        for table, instead in {**dict.fromkeys(TABLES, RENAMED), **(more or {})}.items():
            await connection.execute(await copying(connection, table, instead), list(numbers))


async def names_in(connection: Connection) -> list[str]:
    """All that has a keyed id: the identifiers, and the visitors of statements, which are the scopes of event ids."""
    rows = await connection.fetch(
        "SELECT value FROM state.identifiers UNION SELECT 'visitor:' || visitor_id FROM state.statements"
    )
    return [row["value"] for row in rows]


async def copying(connection: Connection, table: str, instead: Mapping[str, str]) -> str:
    """The statement that adds to a table the copies of its rows, with the numbers in $1."""
    names = [row["attname"] for row in await connection.fetch(
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''", table
    )]  # fmt: skip
    given = ", ".join(instead.get(name, "t.{0}").format(name) for name in names)
    return f"INSERT INTO state.{table} ({', '.join(names)}) SELECT {given} FROM state.{table} t, unnest($1::integer[]) AS n"


def renamed_name(name: str, number: int) -> str:
    kind, _, value = name.partition(":")
    return f"{kind}:{number}-{value}"


def renamed(event: dict[str, Any], number: int) -> dict[str, Any]:
    """The event of a copy's visitor; copy 0 is the original."""
    if number == 0:
        return event
    names = {name: f"{number}-{event[name]}" for name in ("visitor_id", "event_id")}
    person = {"person": {"email": f"{number}-{event['person']['email']}"}} if "person" in event else {}
    return {**event, **names, **person}


def spread(rng: random.Random, events: Iterable[dict[str, Any]], copies: int) -> Iterator[dict[str, Any]]:
    """The events, each visitor's as those of one of its copies, so that they meet the whole of the history."""
    numbers: dict[str, int] = {}
    for event in events:
        yield renamed(event, numbers.setdefault(event["visitor_id"], rng.randrange(copies)))


async def check_copies(bench: Bench, resolved: str, copied: str) -> None:
    """Raises RuntimeError when copies in the database, or what is resolved after them, differ from the consumer's work."""
    made = list(itertools.islice(traffic(bench.seed), TRIED_EVENTS + TRIED_LATER))
    first, copies = made[:TRIED_EVENTS], range(1, TRIED_COPIES + 1)
    again = [renamed(event, number) for number in copies for event in first]
    later = [encode(event) for event in spread(random.Random(bench.seed), made[TRIED_EVENTS:], TRIED_COPIES + 1)]
    async with connect(resolved, application="bench") as one, connect(copied, application="bench") as other:
        for database in (one, other):
            await resolve(database, [encode(event) for event in first], BATCH)
        await resolve(one, [encode(event) for event in again], BATCH)
        await add_copies(other, copies)
        for what in ("copies", "what comes after copies"):
            if differing := [
                table for table in await tables(one) if await content(one, table) != await content(other, table)
            ]:
                raise RuntimeError(f"{what} differ from what the consumer makes: {', '.join(differing)}")
            for database in (one, other):
                await resolve(database, later, BATCH)


async def tables(database: Database) -> list[str]:
    """All of the state but notes, which the attributor would have worked off."""
    rows = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'state'::regnamespace AND relkind = 'r' AND relname <> 'notes'"
    )
    return [row["relname"] for row in rows]


async def content(database: Database, table: str) -> str | None:
    """The rows in any order, without their rank, which is a hash of the whole event and decides between equal ids alone,
    and with visitors by their ids, as their numbers are those of their arrival."""
    row: str | None = await database.fetchval(
        f"""SELECT md5(string_agg(line, '' ORDER BY line)) FROM (
            SELECT concat(j - ARRAY['rank', 'number', 'visitor'], v.visitor_id) AS line
            FROM state.{table} t CROSS JOIN LATERAL to_jsonb(t) j LEFT JOIN visitors v ON v.number = (j ->> 'visitor')::bigint) t"""
    )
    return row
