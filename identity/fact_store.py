"""Facts in the database, which only ever grow: what is said of identifiers, visitors, hits, and people beyond hits."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from identity.components import Pair
from identity.facts import Facts, HitFact
from identity.offline import TouchKey
from schemas.event import EventType
from services.runtime.arrays import arrays
from services.runtime.postgres import Connection, Database, Record, UniqueViolationError, load_queries

QUERIES = load_queries("identity")

HITS_KEY = "hits_by_event"
REGISTRATIONS = frozenset({EventType.form, EventType.identify})
"""By which a lead is created."""
HIT_COLUMNS = ("visitor", *HitFact._fields[1:])


async def add_facts(database: Database, facts: Facts) -> dict[str, int]:
    """Store the facts and commit, so that whoever derives from now on sees them. Not yet on disk.

    Answers the numbers of their visitors.
    """
    while True:
        try:
            async with database.transaction(durable=False) as connection:
                return await _add_facts(connection, facts)
        except UniqueViolationError as error:
            if error.constraint_name != HITS_KEY:
                raise
            # Somebody else has stored a hit of ours since we looked: now we see it.


async def _add_facts(connection: Connection, facts: Facts) -> dict[str, int]:
    if facts.seen:
        await connection.execute(QUERIES.add_identifiers, *arrays(facts.seen))
    if facts.pairs:
        await connection.execute(QUERIES.add_pairs, *arrays(facts.pairs))
    numbers = await _add_hits(connection, facts.hits) if facts.hits else {}
    if facts.carriers:
        rows = [(identifier, numbers[visitor], *times) for identifier, visitor, *times in facts.carriers]
        await connection.execute(QUERIES.add_carriers, *arrays(rows))
    if facts.statements:
        await connection.execute(QUERIES.add_statements, *arrays(facts.statements))
    return numbers


async def _add_hits(connection: Connection, hits: Sequence[HitFact]) -> dict[str, int]:
    """By COPY, which costs half of an INSERT and knows no conflicts: so what is there already is left out."""
    visitors = {hit.visitor_id for hit in hits}
    known = await _numbers(connection, QUERIES.visitor_numbers, visitors)
    made = await _numbers(connection, QUERIES.add_visitors, visitors - known.keys())
    known |= await _numbers(connection, QUERIES.visitor_numbers, visitors - known.keys() - made.keys())
    keys = [(known[hit.visitor_id], hit.event_id) for hit in hits if hit.visitor_id in known]
    there = {tuple(row) for row in await connection.fetch(QUERIES.known_hits, *arrays(keys))} if keys else set()
    numbers = known | made
    rows = [(numbers[hit.visitor_id], *hit[1:]) for hit in hits]
    new = [row for row in rows if (row[0], row[1], row[3]) not in there] if there else rows
    if new:
        await connection.copy_records_to_table("hits", columns=HIT_COLUMNS, records=new)
    return numbers


async def _numbers(connection: Connection, query: str, visitors: Collection[str]) -> dict[str, int]:
    rows = await connection.fetch(query, sorted(visitors)) if visitors else []
    return {row["visitor_id"]: row["number"] for row in rows}


Registrations = dict[str, datetime]
"""By the id of an identifier, as text, when the earliest of some forms and calls named somebody by it."""


class Concerned(NamedTuple):
    """What a batch's events say of people, or cease to say, whether they were new or not."""

    cuts: Sequence[Pair] = ()
    touches: Sequence[TouchKey] = ()
    """The offline ones."""
    registered: Registrations = {}  # noqa: RUF012 - never changed
    """Leads of these may have been created at another time."""


async def concerned_statements(database: Database, facts: Facts) -> Concerned:
    """What all records of the batch's event ids say of people; of a visitor's not the forms that only hits contest."""
    if not facts.hits and not facts.statements:
        return Concerned()
    said = arrays([(each.scope, each.event_id, each.rank) for each in facts.statements]) or [None] * 3
    hits = arrays([hit[:2] for hit in facts.hits]) or [None] * 2
    rows = await database.fetch(QUERIES.concerned_statements, *said, *hits)
    registered = [
        (each.identifiers.split(","), each.occurred_at)
        for each in facts.statements
        if each.type in REGISTRATIONS and each.identifiers
    ]
    return Concerned(
        sorted({(row["a"], row["b"]) for row in rows if row["a"] is not None}),
        sorted((row["scope"], row["event_id"]) for row in rows if row["type"] == EventType.touch),
        earliest([*registered, *_registrations(row for row in rows if row["type"] in REGISTRATIONS)]),
    )


async def registered_in(connection: Connection, keys: Sequence[TouchKey]) -> Registrations:
    """Whom the forms and calls of these (scope, event id) name, whether they count or not."""
    return earliest(_registrations(await connection.fetch(QUERIES.registered_in, *arrays(keys)) if keys else ()))


def earliest(named: Iterable[tuple[Iterable[str], datetime]]) -> Registrations:
    """Of events, each with whom it names, the first for each identifier."""
    found: Registrations = {}
    for identifiers, at in named:
        for identifier in identifiers:
            found[identifier] = min(at, found.get(identifier, at))
    return found


def _registrations(rows: Iterable[Record]) -> list[tuple[list[str], datetime]]:
    return [(list(map(str, row["identifiers"] or ())), row["occurred_at"]) for row in rows]
