"""Visits in the database, and notes: rows to values and back. Decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson

from identity.components import Identifier
from identity.facts import HitFact
from identity.lead_store import identifiers
from identity.offline import Change
from identity.ranges import Difference, Edge, Named, Range, Span
from identity.visits import Hit, Standing, Visit
from schemas.event import HITS
from schemas.note import ALL_TIME, Note, NoteKind
from schemas.visit import Source
from services.runtime.arrays import Parameter, arrays
from services.runtime.postgres import Connection, Record, load_queries

QUERIES = load_queries("identity")

NEVER = (ALL_TIME[1], "")
"""Behind the last hit of every visitor."""


IN_ORDER = itemgetter(0, 1)
"""Hits are folded by (occurred_at, event_id)."""
VISIT_COLUMNS = (
    *("visitor", "started_at", "touch_id", "last_at", "hits", *Source.__annotations__),
    *("running", "landing_page", "referrer", "click_ids", "identified", "owner"),
)


async def lock_visitors(connection: Connection, visitors: Collection[str]) -> dict[str, int]:
    """Keep others from folding these visitors until the transaction ends. Answers their numbers."""
    rows = await connection.fetch(QUERIES.lock_visitors, sorted(visitors))
    return {row["visitor_id"]: row["number"] for row in rows}


async def concerned_spans(
    connection: Connection, numbers: Mapping[str, int], hits: Sequence[HitFact]
) -> tuple[list[Span], list[tuple[str, str]]]:
    """Which time of which visitor these hits concern, whether they were new or not.

    And the contested ones: visitor and event id of several records.
    """
    keys = arrays([(numbers[hit.visitor_id], hit.event_id) for hit in hits])
    rows = await connection.fetch(QUERIES.concerned_spans, *keys)
    contested = {row["visitor"]: row["contested"] for row in rows if row["contested"]}
    return [Span(*row[:3]) for row in rows], [
        (visitor, event_id) for visitor, number in numbers.items() for event_id in contested.get(number, ())
    ] if contested else []


async def note_registrations(connection: Connection, registered: Mapping[str, datetime]) -> None:
    """Let the attributor ask when the leads were created of those identifiers that have no earlier registration."""
    if registered:
        await connection.execute(QUERIES.note_registrations, *arrays([*registered.items()]))


async def fold_ranges(connection: Connection, spans: Sequence[Span], horizon: int) -> list[Range]:
    """Where to fold for these spans, reaching to the `horizon`th standing visit after each."""
    rows = await connection.fetch(QUERIES.fold_ranges, *arrays(spans), horizon, sorted(HITS))
    return [_range(row) for row in rows]


async def places_to_cut(connection: Connection, spans: Sequence[Span], hits: int) -> dict[int, datetime]:
    """By visitor when the first visit begins behind so many hits of the span; of most visitors there is none."""
    rows = await connection.fetch(QUERIES.places_to_cut, *arrays(spans), hits)
    return {row["visitor"]: row["cut_at"] for row in rows}


async def hits_in(
    connection: Connection, ranges: Sequence[Range]
) -> tuple[dict[int, list[Hit]], dict[int, UUID | None]]:
    """The hits that count, by visitor and in order, with the lead that each names, and that of the visit resumed whole.

    All leads are as they stand at one moment: others may call them by other names at the next.
    """
    parts = [(part.visitor, *part.hits_from, *(part.stop or NEVER)) for part in ranges]
    rows = await connection.fetch(QUERIES.hits_in_ranges, *arrays(parts), sorted(HITS))
    identified = {part.visitor: part.goes_on.identified if part.goes_on else None for part in ranges}
    names = {identifier for row in rows if row["identifiers"] for identifier in row["identifiers"]}
    names |= {name for name in identified.values() if name}
    known = await identifiers(connection, names) if names else {}
    hits: dict[int, list[Hit]] = {part.visitor: [] for part in ranges}
    for row in rows:
        visitor, hit = _hit(row, known)
        hits[visitor].append(hit)
    for own in hits.values():
        if len(own) > 1:
            own.sort(key=IN_ORDER)
    return hits, {visitor: known[name].lead if name else None for visitor, name in identified.items()}


async def visits_in(connection: Connection, ranges: Sequence[Range]) -> dict[int, list[Visit]]:
    """The visits as they stand, by visitor and in order."""
    visits: dict[int, list[Visit]] = {part.visitor: [] for part in ranges}
    if ranges:
        for visitor, *visit in await connection.fetch(QUERIES.visits_in_ranges, *_bounds(ranges)):
            visits[visitor].append(_visit(*visit))
    return visits


async def names_around(connection: Connection, ranges: Sequence[Range]) -> dict[int, Named]:
    """By visitor: whom the nearest naming visit before the range names, and whom the nearest from its stop on."""
    found = await connection.fetch(QUERIES.names_around, *_bounds(ranges)) if ranges else []
    return {row["visitor"]: (row["before"], row["after"]) for row in found}


async def replace_visits(connection: Connection, replaced: Difference) -> None:
    """Take away, change and add visits, each with its visitor, who is locked."""
    if replaced.gone:
        rows = [(visitor, *visit.key) for visitor, visit in replaced.gone]
        await connection.execute(QUERIES.remove_visits, *arrays(rows))
    if replaced.changed:
        await connection.execute(QUERIES.change_visits, *arrays([_visit_row(*each) for each in replaced.changed]))
    if replaced.new:
        rows = [_visit_row(*each) for each in replaced.new]
        await connection.copy_records_to_table("visits", columns=VISIT_COLUMNS, records=rows)


async def settle_owners(connection: Connection, edges: Sequence[Edge]) -> list[Change]:
    """Hand owners on beyond the folded ranges. Answers the touches that changed hands."""
    if not edges:
        return []
    rows = await connection.fetch(QUERIES.settle_owners, *arrays(edges))
    return [(row["started_at"], row["old_owner"], row["new_owner"]) for row in rows if row["is_touch"]]


async def put_off(connection: Connection, spans: Sequence[tuple[Span, int]]) -> None:
    """Leave notes to fold each span in so many seconds, together with what comes for its visitor until then."""
    if spans:
        rows = [(*span, seconds) for span, seconds in spans]
        await connection.execute(QUERIES.put_off_folds, *arrays(rows))


async def leave_notes(connection: Connection, notes: Sequence[Note]) -> None:
    """Store notes in the transaction that makes them true."""
    if notes:
        await connection.execute(QUERIES.leave_notes, *arrays(notes))


async def note_concerned(connection: Connection, notes: Sequence[Note]) -> None:
    """Of notes about leads and identifiers make notes about the visitors and offline touches they concern."""
    leads = [note.key for note in notes if note.kind is NoteKind.lead]
    shared = [note.key for note in notes if note.kind is NoteKind.shared]
    if leads:
        await connection.execute(QUERIES.note_visitors_of_leads, leads)
    if shared:
        await connection.execute(QUERIES.note_visitors_of_identifiers, shared)
        await connection.execute(QUERIES.note_touches_of_identifiers, shared)


def _bounds(ranges: Sequence[Range]) -> list[Parameter]:
    return arrays([(part.visitor, *part.start, *(part.stop or NEVER)) for part in ranges])


# Rows are read by place here: a look-up by name costs as much as all the rest, and there is one row or more an event.


def _range(row: Record) -> Range:
    visitor, *columns_of_visit, goes_on, last_referrer, stop_at, stop_id, hits_between, at_the_end = row
    visit = _visit(*columns_of_visit) if columns_of_visit[0] is not None else None
    resumed = None if visit is None else Standing(visit, last_referrer) if goes_on else visit.start
    return Range(
        visitor,
        visit.key if visit else (ALL_TIME[0], ""),
        resumed,
        (stop_at, stop_id) if stop_at is not None else None,
        hits_between + (visit.hits if visit and not goes_on else 0),
        at_the_end,
    )


def _hit(row: Record, known: Mapping[UUID, Identifier]) -> tuple[int, Hit]:
    visitor, at, event_id, internal, only_referrer, url, referrer, channel, *source, click_ids, identifiers = row
    named = next((each for each in identifiers if not known[each].shared), None) if identifiers else None
    hit = Hit(
        at,
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
    return visitor, hit


def _visit(  # noqa: PLR0913, PLR0917 - a row of the query
    started_at: datetime,
    touch_id: str,
    last_at: datetime,
    hits: int,
    channel: str,
    source: str,
    medium: str,
    campaign: str | None,
    content: str | None,
    term: str | None,
    running: str | None,
    landing_page: str | None,
    referrer: str | None,
    click_ids: str | None,
    identified: UUID | None,
    owner: UUID | None,
) -> Visit:
    own = Source(channel, source, medium, campaign, content, term)
    return Visit(
        started_at,
        touch_id,
        last_at,
        hits,
        own,
        Source(*orjson.loads(running)) if running else own,
        landing_page,
        referrer,
        _click_ids(click_ids),
        identified,
        owner,
    )


def _visit_row(visitor: int, visit: Visit) -> tuple[Any, ...]:
    source = visit.source
    return (
        visitor,
        visit.started_at,
        visit.touch_id,
        visit.last_at,
        visit.hits,
        *source,
        None if visit.running == source else orjson.dumps(tuple(visit.running)).decode(),
        visit.landing_page,
        visit.referrer,
        orjson.dumps(visit.click_ids).decode() if visit.click_ids else None,
        visit.identified,
        visit.owner,
    )


def _click_ids(text: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in orjson.loads(text)) if text else ()
