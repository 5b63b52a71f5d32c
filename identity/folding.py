"""Folding visitors in the database: load a range, fold it, store the difference, and tell the attributor.

Whoever calls holds the visitors' locks.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from identity import store
from identity.offline import Change
from identity.ranges import Folded, Range, Span, difference, fold_range
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR
from services.runtime.postgres import Connection

LEAST_DELAY, HITS_A_SECOND = 5, 1_000
"""A fold that is put off waits this many seconds, and longer the more it reads again, so that it never costs much."""

HITS_AT_ONCE, REST_SECONDS = 20_000, 1
"""Of a note that concerns more hits of one visitor, the visits behind so many come later, after others' events."""

HORIZONS = (1, 8, 64, 2**31 - 1)
"""How many standing visits beyond the change to look at, attempt by attempt; nearly always the next one stands."""


async def fold_spans(connection: Connection, spans: Sequence[Span], longest: int | None = None) -> None:
    """Bring the visits of these visitors in line with their hits, and note whose touches changed.

    Where more than `longest` hits of one visitor would have to be read again, that is put off.
    """
    pending, done = list(spans), list[Folded]()
    for horizon in HORIZONS:
        if not pending:
            break
        ranges = await store.fold_ranges(connection, pending, horizon)
        if longest is not None:
            ranges = await _put_off_long(connection, pending, ranges, longest)
        folded = await _fold(connection, ranges)
        done += [each for each in folded if each is not None]
        unfinished = {part.visitor for part, each in zip(ranges, folded, strict=True) if each is None}
        pending = [span for span in pending if span.visitor in unfinished]
    if done:
        await _store(connection, done)


async def cut_spans(connection: Connection, spans: Sequence[Span]) -> list[Span]:
    """The spans, each up to a visit behind so many hits that others would wait for it; notes are left of the rest.

    The rest begins with that visit, whose first hit the fold of the first part has seen.
    """
    cuts = await store.places_to_cut(connection, spans, HITS_AT_ONCE)
    long = [span for span in spans if span.visitor in cuts]
    rests = [span._replace(from_at=cuts[span.visitor]) for span in long]
    await store.put_off(connection, [(rest, REST_SECONDS) for rest in rests])
    return [
        span._replace(to_at=cuts[span.visitor] - timedelta.resolution) if span.visitor in cuts else span
        for span in spans
    ]


async def _put_off_long(
    connection: Connection, spans: Sequence[Span], ranges: Sequence[Range], longest: int
) -> list[Range]:
    """The ranges without those that would read too many hits again, of which notes are left."""
    long = {
        part.visitor: max(LEAST_DELAY, part.hits_again // HITS_A_SECOND) for part in ranges if part.hits_again > longest
    }
    await store.put_off(connection, [(span, long[span.visitor]) for span in spans if span.visitor in long])
    return [part for part in ranges if part.visitor not in long]


async def _fold(connection: Connection, ranges: Sequence[Range]) -> list[Folded | None]:
    """Each range folded, see `fold_range`."""
    if not ranges:
        return []
    (hits, leads), visits = await store.hits_in(connection, ranges), await store.visits_in(connection, ranges)
    return [fold_range(part, hits[part.visitor], leads[part.visitor], visits[part.visitor]) for part in ranges]


async def _store(connection: Connection, folded: Sequence[Folded]) -> None:
    found = difference(folded, await store.names_around(connection, [each.part for each in folded]))
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
