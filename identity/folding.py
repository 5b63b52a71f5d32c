"""Folding visitors in the database: load a range, fold it, store the difference, and tell the attributor.

Whoever calls holds the visitors' locks.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from identity import store
from identity.offline import Change
from identity.ranges import Folded, Range, Span, difference, fold_range, united
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR
from services.runtime.postgres import Connection

LEAST_DELAY, HITS_A_SECOND = 5, 1_000
"""A fold that is put off waits this many seconds, and longer the more it reads again, so that it never costs much."""

HITS_AT_ONCE, REST_SECONDS = 20_000, 1
"""Of a note that concerns more hits of one visitor, the visits behind so many come later, after others' events."""

HORIZONS = (1, 8, 64, 2**31 - 1)
"""How many standing visits beyond the change to look at, attempt by attempt; nearly always the next one stands."""

Times = Sequence[tuple[datetime, datetime]]


async def fold_spans(connection: Connection, spans: Sequence[Span], longest: int) -> None:
    """Bring the visits of these visitors in line with their hits, and note whose touches changed.

    Where more than `longest` hits of one visitor would have to be read again, that is put off.
    """
    pending = {span.visitor: span for span in spans}
    reached: dict[int, Folded] = {}
    for horizon in HORIZONS:
        ranges = await store.fold_ranges(connection, [*pending.values()], horizon) if pending else []
        long = {part.visitor: part.hits_again for part in ranges if part.hits_again > longest}
        delays = {visitor: max(LEAST_DELAY, hits // HITS_A_SECOND) for visitor, hits in long.items()}
        await store.put_off(connection, [(pending[visitor], delay) for visitor, delay in delays.items()])
        reached |= await _fold(connection, [part for part in ranges if part.visitor not in long])
        pending = _unfinished(pending, reached, long)
    await _store(connection, [each for each in reached.values() if each.is_done])


async def fold_noted(connection: Connection, noted: Mapping[int, Times]) -> None:
    """The same for the times that notes tell of each visitor, however many hits that concerns.

    A long history is folded in parts, one in each transaction; notes are left of the rest.
    """
    pending = {span.visitor: span for span in await _first_parts(connection, noted)}
    reached: dict[int, Folded] = {}
    for horizon in HORIZONS:
        ranges = await store.fold_ranges(connection, [*pending.values()], horizon) if pending else []
        long = {part.visitor for part in ranges if part.visitor in reached and part.hits_again > HITS_AT_ONCE}
        await store.put_off(
            connection, [(_behind(reached[visitor], pending[visitor]), REST_SECONDS) for visitor in long]
        )
        reached |= await _fold(connection, [part for part in ranges if part.visitor not in long])
        pending = _unfinished(pending, reached, long)
    await _store(connection, [*reached.values()])


async def _first_parts(connection: Connection, noted: Mapping[int, Times]) -> list[Span]:
    """What to fold now of these times; notes are left of the rest.

    All of a visitor's times at once, unless others would wait for that. Then the latest of them, so that a rest comes
    to its end though earlier hits keep coming, and of that a part.
    """
    whole = [Span(visitor, min(at for at, _ in times), max(at for _, at in times)) for visitor, times in noted.items()]
    long = await store.places_to_cut(connection, whole, HITS_AT_ONCE)
    latest, rests = list[Span](), list[Span]()
    for visitor in long:
        *earlier, last = (Span(visitor, *time) for time in united(noted[visitor]))
        latest.append(last)
        rests += earlier
    cuts = await store.places_to_cut(connection, latest, HITS_AT_ONCE) if latest else {}
    rests += [span._replace(from_at=cuts[span.visitor]) for span in latest if span.visitor in cuts]
    await store.put_off(connection, [(rest, REST_SECONDS) for rest in rests])
    first = [
        span._replace(to_at=cuts[span.visitor] - timedelta.resolution) if span.visitor in cuts else span
        for span in latest
    ]
    return [span for span in whole if span.visitor not in long] + first


async def _fold(connection: Connection, ranges: Sequence[Range]) -> dict[int, Folded]:
    """Each range folded, by visitor, see `fold_range`."""
    if not ranges:
        return {}
    hits, leads = await store.hits_in(connection, ranges)
    read = await store.visits_in(connection, [part for part in ranges if not part.only_adds])
    return {
        part.visitor: fold_range(
            part, hits[part.visitor], leads[part.visitor], part.standing if part.only_adds else read[part.visitor]
        )
        for part in ranges
    }


def _unfinished(pending: Mapping[int, Span], reached: Mapping[int, Folded], long: Container[int]) -> dict[int, Span]:
    return {visitor: span for visitor, span in pending.items() if visitor not in long and not reached[visitor].is_done}


def _behind(folded: Folded, span: Span) -> Span:
    """What is still to fold behind a range whose stop no longer starts as it did."""
    assert folded.part.stop is not None
    stop_at, _ = folded.part.stop
    return Span(span.visitor, stop_at, max(span.to_at, stop_at))


async def _store(connection: Connection, folded: Sequence[Folded]) -> None:
    around = {each.part.visitor: each.part.named_around for each in folded if each.part.only_adds}
    around |= await store.names_around(connection, [each.part for each in folded if each.part.visitor not in around])
    found = difference(folded, around)
    await store.replace_visits(connection, found)
    handed_on = await store.settle_owners(connection, found.edges)
    await store.leave_notes(connection, touch_notes([*found.touches, *handed_on]))


def touch_notes(changes: Sequence[Change]) -> list[Note]:
    """One note for each identifier that gained, lost or kept changed touches, with the time they span."""
    spans: dict[UUID, tuple[datetime, datetime]] = {}
    for at, *owners in changes:
        for owner in owners:
            if owner is not None:
                first, last = spans.get(owner, (at, at))
                spans[owner] = (min(first, at), max(last, at))
    return [Note(ATTRIBUTOR, NoteKind.touches, str(owner), *span) for owner, span in sorted(spans.items())]
