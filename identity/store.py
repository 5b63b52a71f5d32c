"""Facts and visits in the database: rows to values and back. Decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from identity.components import Identifier, Pair
from identity.facts import Facts, HitFact
from identity.lead_store import identifiers
from identity.offline import TouchKey
from identity.visits import Hit, Standing, Start, Visit
from schemas.event import HITS
from schemas.note import ALL_TIME, Note, NoteKind
from schemas.visit import Source
from services.runtime.postgres import Connection, Database, Record, columns, load_queries

QUERIES = load_queries("identity")

NEVER = (ALL_TIME[1], "")
"""Behind the last hit of every visitor."""


class Span(NamedTuple):
    """From when to when a visitor's hits may have changed."""

    visitor_id: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """A part of one visitor's history: from a visit that stands up to and with the first hit of one that may.

    Without `resumed` it begins with the visitor's first hit, without `stop` it ends with the last. Where all that
    changed comes after the last hit of the visit that stands, it is resumed whole, and its hits are not read again.
    """

    visitor_id: str
    start: tuple[datetime, str]
    resumed: Start | Standing | None
    stop: tuple[datetime, str] | None
    hits_again: int
    """How many hits of the visit that stands are read again."""

    @property
    def identified(self) -> UUID | None:
        """Whom the visit that is resumed whole has identified."""
        return self.resumed.visit.identified if isinstance(self.resumed, Standing) else None

    @property
    def hits_from(self) -> tuple[datetime, str]:
        """From which hit on they are read."""
        if isinstance(self.resumed, Standing):
            return (self.resumed.visit.last_at + timedelta.resolution, "")
        return self.start


async def add_facts(database: Database, facts: Facts) -> None:
    """Store the facts and commit, so that whoever derives from now on sees them. Not yet on disk."""
    async with database.transaction(durable=False) as connection:
        if facts.seen:
            await connection.execute(QUERIES.add_identifiers, *columns(facts.seen))
        if facts.pairs:
            await connection.execute(QUERIES.add_pairs, *columns(facts.pairs))
        if facts.hits:
            await connection.execute(QUERIES.add_visitors, sorted({hit.visitor_id for hit in facts.hits}))
            await connection.execute(QUERIES.add_hits, *columns(facts.hits))
        if facts.carriers:
            await connection.execute(QUERIES.add_carriers, *columns(facts.carriers))
        if facts.statements:
            await connection.execute(QUERIES.add_statements, *columns(facts.statements))


async def concerned_statements(database: Database, facts: Facts) -> tuple[list[Pair], list[TouchKey]]:
    """The pairs of all cuts, and the offline touches, among the records of the batch's event ids."""
    if not facts.hits and not facts.statements:
        return [], []
    said = columns([statement[:2] for statement in facts.statements]) or [[], []]
    hits = columns([hit[:2] for hit in facts.hits]) or [[], []]
    rows = await database.fetch(QUERIES.concerned_statements, *said, *hits)
    cuts = {(row["a"], row["b"]) for row in rows if row["a"] is not None}
    return sorted(cuts), sorted((row["scope"], row["event_id"]) for row in rows if row["a"] is None)


async def lock_visitors(connection: Connection, visitors: Iterable[str]) -> None:
    """Keep others from folding these visitors until the transaction ends."""
    await connection.execute(QUERIES.lock_visitors, sorted(set(visitors)))


async def concerned_spans(connection: Connection, hits: Sequence[HitFact]) -> list[Span]:
    """Which time of which visitor these hits concern, whether they were new or not."""
    rows = await connection.fetch(QUERIES.concerned_spans, *columns([hit[:2] for hit in hits]))
    return [Span(*row) for row in rows]


async def fold_ranges(connection: Connection, spans: Sequence[Span], horizon: int) -> list[Range]:
    """Where to fold for these spans, reaching to the `horizon`th standing visit after each."""
    rows = await connection.fetch(QUERIES.fold_ranges, *columns(spans), horizon, sorted(HITS))
    return [_range(row) for row in rows]


async def hits_in(
    connection: Connection, ranges: Sequence[Range]
) -> tuple[dict[str, list[Hit]], dict[str, UUID | None]]:
    """The hits that count, by visitor and in order, with the lead that each names, and that of the visit resumed whole.

    All leads are as they stand at one moment: others may call them by other names at the next.
    """
    parts = [(part.visitor_id, *part.hits_from, *(part.stop or NEVER)) for part in ranges]
    rows = await connection.fetch(QUERIES.hits_in_ranges, *columns(parts), sorted(HITS))
    standing = {part.visitor_id: part.identified for part in ranges}
    names = {identifier for row in rows for identifier in row["identifiers"] or ()}
    names |= {identified for identified in standing.values() if identified}
    known = await identifiers(connection, names) if names else {}
    hits: dict[str, list[Hit]] = {part.visitor_id: [] for part in ranges}
    for row in rows:
        hits[row["visitor_id"]].append(_hit(row, known))
    return hits, {visitor: known[name].lead if name else None for visitor, name in standing.items()}


async def visits_in(connection: Connection, ranges: Sequence[Range]) -> dict[str, list[Visit]]:
    """The visits as they stand, by visitor and in order."""
    visits: dict[str, list[Visit]] = {part.visitor_id: [] for part in ranges}
    for row in await connection.fetch(QUERIES.visits_in_ranges, *_bounds(ranges)):
        visits[row["visitor_id"]].append(_visit(row))
    return visits


async def names_around(connection: Connection, ranges: Sequence[Range]) -> dict[str, tuple[UUID | None, UUID | None]]:
    """By visitor: whom the nearest naming visit before the range names, and whom the nearest from its stop on."""
    found = await connection.fetch(QUERIES.names_around, *_bounds(ranges))
    return {row["visitor_id"]: (row["before"], row["after"]) for row in found}


async def replace_visits(
    connection: Connection, gone: Sequence[tuple[str, Visit]], put: Sequence[tuple[str, Visit]]
) -> None:
    """Take away and put visits, each with its visitor."""
    if gone:
        await connection.execute(QUERIES.remove_visits, *columns([(visitor, *visit.key) for visitor, visit in gone]))
    if put:
        await connection.execute(QUERIES.put_visits, *columns([_visit_row(visitor, visit) for visitor, visit in put]))


async def settle_owners(
    connection: Connection, edges: Sequence[tuple[str, datetime, str, UUID | None, bool]]
) -> list[tuple[datetime, UUID | None, UUID | None]]:
    """Hand owners on beyond the folded ranges: (visitor, edge time, edge id, owner, forward).

    Answers the touches that changed hands: when, from whom, to whom.
    """
    if not edges:
        return []
    rows = await connection.fetch(QUERIES.settle_owners, *columns(edges))
    return [(row["started_at"], row["old_owner"], row["new_owner"]) for row in rows if row["is_touch"]]


async def put_off(connection: Connection, spans: Sequence[tuple[Span, int]]) -> None:
    """Leave notes to fold each span in so many seconds, together with what comes for its visitor until then."""
    if spans:
        rows = [(*span, seconds) for span, seconds in spans]
        await connection.execute(QUERIES.put_off_folds, *columns(rows))


async def leave_notes(connection: Connection, notes: Sequence[Note]) -> None:
    """Store notes in the transaction that makes them true."""
    if notes:
        await connection.execute(QUERIES.leave_notes, *columns(notes))


async def note_concerned(connection: Connection, notes: Sequence[Note]) -> None:
    """Of notes about leads and identifiers make notes about the visitors and offline touches they concern."""
    leads = [note.key for note in notes if note.kind is NoteKind.lead]
    shared = [note.key for note in notes if note.kind is NoteKind.shared]
    if leads:
        await connection.execute(QUERIES.note_visitors_of_leads, leads)
    if shared:
        await connection.execute(QUERIES.note_visitors_of_identifiers, shared)
        await connection.execute(QUERIES.note_touches_of_identifiers, shared)


def _bounds(ranges: Sequence[Range]) -> list[list[Any]]:
    return columns([(part.visitor_id, *part.start, *(part.stop or NEVER)) for part in ranges])


def _range(row: Record) -> Range:
    resumed: Start | Standing | None = None
    if row["started_at"] is not None:
        visit = _visit(row)
        resumed = Standing(visit, row["last_referrer"]) if row["goes_on"] else visit.start
    return Range(
        visitor_id=row["visitor_id"],
        start=(row["started_at"], row["touch_id"]) if resumed else (ALL_TIME[0], ""),
        resumed=resumed,
        stop=(row["stop_at"], row["stop_id"]) if row["stop_at"] is not None else None,
        hits_again=0 if row["goes_on"] else row["hits"] or 0,
    )


def _hit(row: Record, known: Mapping[UUID, Identifier]) -> Hit:
    # By place: this runs for every hit of every fold, and a look-up by name costs as much as all the rest of it.
    _, occurred_at, event_id, internal, only_referrer, url, referrer, channel, *source, click_ids, identifiers = row
    named = next((each for each in identifiers if not known[each].shared), None) if identifiers else None
    return Hit(
        occurred_at,
        event_id,
        internal,
        only_referrer,
        url,
        referrer,
        Source(channel, *source) if channel is not None else None,
        _click_ids(click_ids),
        named,
        known[named].lead if named else None,
    )


def _visit(row: Record) -> Visit:
    source = _source(row)
    return Visit(
        started_at=row["started_at"],
        touch_id=row["touch_id"],
        last_at=row["last_at"],
        hits=row["hits"],
        source=source,
        running=Source(*orjson.loads(row["running"])) if row["running"] else source,
        landing_page=row["landing_page"],
        referrer=row["referrer"],
        click_ids=_click_ids(row["click_ids"]),
        identified=row["identified"],
        owner=row["owner"],
    )


def _visit_row(visitor_id: str, visit: Visit) -> tuple[Any, ...]:
    source = visit.source
    return (
        visitor_id,
        visit.started_at,
        visit.touch_id,
        visit.last_at,
        visit.hits,
        *source.columns,
        None if visit.running == source else orjson.dumps(visit.running.columns).decode(),
        visit.landing_page,
        visit.referrer,
        orjson.dumps(visit.click_ids).decode() if visit.click_ids else None,
        visit.identified,
        visit.owner,
    )


def _source(row: Record) -> Source:
    return Source(row["channel"], row["source"], row["medium"], row["campaign"], row["content"], row["term"])


def _click_ids(text: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in orjson.loads(text)) if text else ()
