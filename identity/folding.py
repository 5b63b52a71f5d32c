"""Folding visitors in the database: load a range, fold it, store the difference, and tell the attributor.

A fold begins at the visit before the first change and ends where a visit that stood starts just as it did: from there
on nothing can differ. Whoever calls holds the visitors' locks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from identity import store
from identity.offline import Change
from identity.store import Range, Span
from identity.visits import Hit, Standing, Visit, fold, owned
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR
from services.runtime.postgres import Connection

Edge = tuple[str, datetime, str, UUID | None, bool]
"""Where owners change outside of a range: visitor, from which visit (time, id), to whom, and whether forward."""

LEAST_DELAY, HITS_A_SECOND = 5, 1_000
"""A fold that is put off waits this many seconds, and longer the more it reads again, so that it never costs much."""

HORIZONS = (1, 8, 64, 2**31 - 1)
"""How many standing visits beyond the change to look at, attempt by attempt; nearly always the next one stands."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A range as it was and as it is; both without the visit at its stop, which stands."""

    part: Range
    old: list[Visit]
    new: list[Visit]


async def fold_spans(connection: Connection, spans: Sequence[Span], longest: int | None = None) -> None:
    """Bring the visits of these visitors in line with their hits, and note whose touches changed.

    Where more than `longest` hits of one visit would have to be read again, that is put off.
    """
    pending, done = list(spans), list[Folded]()
    for horizon in HORIZONS:
        if not pending:
            break
        ranges = await store.fold_ranges(connection, pending, horizon)
        if longest is not None:
            ranges = await _put_off_long(connection, pending, ranges, longest)
        if not ranges:
            break
        (hits, leads), visits = await store.hits_in(connection, ranges), await store.visits_in(connection, ranges)
        folded = [
            fold_range(part, hits[part.visitor_id], leads[part.visitor_id], visits[part.visitor_id]) for part in ranges
        ]
        done += [each for each in folded if each is not None]
        unfinished = {part.visitor_id for part, each in zip(ranges, folded, strict=True) if each is None}
        pending = [span for span in pending if span.visitor_id in unfinished]
    if done:
        await _store(connection, done)


async def _put_off_long(
    connection: Connection, spans: Sequence[Span], ranges: Sequence[Range], longest: int
) -> list[Range]:
    """The ranges without those that would read too many hits again, of which notes are left."""
    long = {
        part.visitor_id: max(LEAST_DELAY, part.hits_again // HITS_A_SECOND)
        for part in ranges
        if part.hits_again > longest
    }
    await store.put_off(connection, [(span, long[span.visitor_id]) for span in spans if span.visitor_id in long])
    return [part for part in ranges if part.visitor_id not in long]


def fold_range(part: Range, hits: Sequence[Hit], lead: UUID | None, standing: Sequence[Visit]) -> Folded | None:
    """The range folded anew, or None when at its stop the new fold differs from the visit that stands there.

    `lead` is whom the visit has identified that is resumed whole.
    """
    resumed = part.resumed._replace(lead=lead) if isinstance(part.resumed, Standing) else part.resumed
    new = fold(hits, resumed)
    if part.stop is None:
        return Folded(part, list(standing), new)
    stands = standing[-1]
    if not new or new[-1].key != part.stop or new[-1].start != stands.start:
        return None
    return Folded(part, list(standing[:-1]), new[:-1])


async def _store(connection: Connection, folded: Sequence[Folded]) -> None:
    around = await store.names_around(connection, [each.part for each in folded])
    gone: list[tuple[str, Visit]] = []
    put: list[tuple[str, Visit]] = []
    edges: list[Edge] = []
    changes: list[Change] = []
    for each in folded:
        visitor, (before, after) = each.part.visitor_id, around[each.part.visitor_id]
        new = owned(each.new, before, after)
        was, now = {visit.key: visit for visit in each.old}, {visit.key: visit for visit in new}
        gone += [(visitor, visit) for key, visit in was.items() if key not in now]
        put += [(visitor, visit) for key, visit in now.items() if was.get(key) != visit]
        changes += touch_changes(was, now)
        edges += owner_edges(each, before, after)
    await store.replace_visits(connection, gone, put)
    changes += await store.settle_owners(connection, edges)
    await store.leave_notes(connection, touch_notes(changes))


def owner_edges(folded: Folded, before: UUID | None, after: UUID | None) -> list[Edge]:
    """Where owners may change outside of the range: behind it, and before it while nobody was named earlier."""
    old = [visit.identified for visit in folded.old if visit.identified is not None]
    new = [visit.identified for visit in folded.new if visit.identified is not None]
    part, edges = folded.part, []
    if part.stop is not None and old[-1:] != new[-1:]:
        edges.append((part.visitor_id, *part.stop, new[-1] if new else before or after, True))
    if part.resumed is not None and before is None and old[:1] != new[:1]:
        edges.append((part.visitor_id, *part.start, new[0] if new else after, False))
    return edges


def touch_changes(was: Mapping[tuple[datetime, str], Visit], now: Mapping[tuple[datetime, str], Visit]) -> list[Change]:
    """What changed for deals: when, whose it was, whose it is."""
    changes = []
    for key in was.keys() | now.keys():
        old, new = was.get(key), now.get(key)
        if (old.credited if old else ()) != (new.credited if new else ()):
            changes.append((key[0], old.owner if old else None, new.owner if new else None))
    return changes


def touch_notes(changes: Sequence[Change]) -> list[Note]:
    """One note for each identifier that gained, lost or kept changed touches, with the time they span."""
    spans: dict[UUID, tuple[datetime, datetime]] = {}
    for at, *owners in changes:
        for owner in owners:
            if owner is not None:
                first, last = spans.get(owner, (at, at))
                spans[owner] = (min(first, at), max(last, at))
    return [Note(ATTRIBUTOR, NoteKind.touches, str(owner), *span) for owner, span in sorted(spans.items())]
