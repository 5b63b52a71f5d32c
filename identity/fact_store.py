"""Facts in the database, which only ever grow: what is said of identifiers, visitors, hits, and people beyond hits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from identity.components import Pair
from identity.facts import Facts, HitFact
from identity.offline import TouchKey
from schemas.event import EventType
from services.runtime.postgres import Connection, Database, Record, UniqueViolationError, columns, load_queries

QUERIES = load_queries("identity")

HITS_KEY = "hits_by_event"
REGISTRATIONS = frozenset({EventType.form, EventType.identify})
"""By which a lead is created."""
HIT_COLUMNS = ("visitor", *HitFact._fields[1:])


async def add_facts(database: Database, facts: Facts) -> None:
    """Store the facts and commit, so that whoever derives from now on sees them. Not yet on disk."""
    while True:
        try:
            async with database.transaction(durable=False) as connection:
                return await _add_facts(connection, facts)
        except UniqueViolationError as error:
            if error.constraint_name != HITS_KEY:
                raise
            # Somebody else has stored a hit of ours since we looked: now we see it.


async def _add_facts(connection: Connection, facts: Facts) -> None:
    if facts.seen:
        await connection.execute(QUERIES.add_identifiers, *columns(facts.seen))
    if facts.pairs:
        await connection.execute(QUERIES.add_pairs, *columns(facts.pairs))
    if facts.hits:
        await _add_hits(connection, facts.hits)
    if facts.carriers:
        await connection.execute(QUERIES.add_carriers, *columns(facts.carriers))
    if facts.statements:
        await connection.execute(QUERIES.add_statements, *columns(facts.statements))


async def _add_hits(connection: Connection, hits: Sequence[HitFact]) -> None:
    """By COPY, which costs half of an INSERT and knows no conflicts: so what is there already is left out."""
    visitors = {hit.visitor_id for hit in hits}
    known = await _numbers(connection, QUERIES.visitor_numbers, visitors)
    made = await _numbers(connection, QUERIES.add_visitors, visitors - known.keys())
    known |= await _numbers(connection, QUERIES.visitor_numbers, visitors - known.keys() - made.keys())
    keys = [(known[hit.visitor_id], hit.event_id) for hit in hits if hit.visitor_id in known]
    there = {tuple(row) for row in await connection.fetch(QUERIES.known_hits, *columns(keys))} if keys else set()
    numbers = known | made
    rows = [(numbers[hit.visitor_id], *hit[1:]) for hit in hits]
    new = [row for row in rows if (row[0], row[1], row[3]) not in there] if there else rows
    if new:
        await connection.copy_records_to_table("hits", columns=HIT_COLUMNS, records=new)


async def _numbers(connection: Connection, query: str, visitors: Collection[str]) -> dict[str, int]:
    rows = await connection.fetch(query, sorted(visitors)) if visitors else []
    return {row["visitor_id"]: row["number"] for row in rows}


Registrations = frozenset[tuple[UUID, datetime]]
"""An identifier, and when a form or a call named somebody by it."""


class Concerned(NamedTuple):
    """What a batch's events say of people, or cease to say, whether they were new or not."""

    cuts: Sequence[Pair] = ()
    touches: Sequence[TouchKey] = ()
    """The offline ones."""
    registered: Registrations = frozenset()
    """In forms and calls that identify: leads of these may have been created at another time."""


async def concerned_statements(database: Database, facts: Facts) -> Concerned:
    """What all records of the batch's event ids say of people; of a visitor's not the forms that only hits contest."""
    if not facts.hits and not facts.statements:
        return Concerned()
    said = columns([(each.scope, each.event_id, each.rank) for each in facts.statements]) or [[], [], []]
    hits = columns([hit[:2] for hit in facts.hits]) or [[], []]
    rows = await database.fetch(QUERIES.concerned_statements, *said, *hits)
    named = [each for each in facts.statements if each.type in REGISTRATIONS and each.identifiers]
    return Concerned(
        sorted({(row["a"], row["b"]) for row in rows if row["a"] is not None}),
        sorted((row["scope"], row["event_id"]) for row in rows if row["type"] == EventType.touch),
        frozenset((UUID(name), each.occurred_at) for each in named for name in (each.identifiers or "").split(","))
        | _registrations(row for row in rows if row["type"] in REGISTRATIONS),
    )


async def registered_in(connection: Connection, keys: Sequence[TouchKey]) -> Registrations:
    """Whom the forms and calls of these (scope, event id) name, whether they count or not."""
    return _registrations(await connection.fetch(QUERIES.registered_in, *columns(keys)) if keys else ())


def _registrations(rows: Iterable[Record]) -> Registrations:
    return frozenset((name, row["occurred_at"]) for row in rows for name in row["identifiers"] or ())
