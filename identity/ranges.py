"""A part of a visitor's history folded anew: whether that ends where it should, and what differs then. Pure.

A fold begins at the visit before the first change and ends where a visit that stood starts just as it did: from there
on nothing can differ.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from identity.offline import Change
from identity.visits import Hit, Standing, Start, Visit, fold, owned

Edge = tuple[int, datetime, str, UUID | None, bool]
"""Where owners change outside of a range: visitor, from which visit (time, id), to whom, and whether forward."""

Named = tuple[UUID | None, UUID | None]
"""Whom the nearest naming visit before a range names, and whom the nearest from its stop on."""


class Span(NamedTuple):
    """From when to when a visitor's hits may have changed."""

    visitor: int
    """By its number, as everywhere behind the facts."""
    from_at: datetime
    to_at: datetime


def united(times: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The times in order, those that overlap as one."""
    found: list[tuple[datetime, datetime]] = []
    for from_at, to_at in sorted(times):
        if found and from_at <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_at))
        else:
            found.append((from_at, to_at))
    return found


class Range(NamedTuple):
    """A part of one visitor's history: from a visit that stands up to and with the first hit of one that may.

    Without `resumed` it begins with the visitor's first hit, without `stop` it ends with the last. Where all that
    changed comes after the last hit of the visit that stands, it is resumed whole, and its hits are not read again.
    """

    visitor: int
    start: tuple[datetime, str]
    resumed: Start | Standing | None
    stop: tuple[datetime, str] | None
    hits_again: int
    """How many hits of visits that stand are read again."""
    at_the_end: bool
    """No visit begins with the change or after it."""

    @property
    def goes_on(self) -> Visit | None:
        """The visit that is resumed whole."""
        return self.resumed.visit if isinstance(self.resumed, Standing) else None

    @property
    def only_adds(self) -> bool:
        """Nothing that stands is folded again: the visitor's last visit is resumed whole, or there is none yet."""
        return self.at_the_end and not isinstance(self.resumed, Start)

    @property
    def standing(self) -> list[Visit]:
        """Of one that only adds: the visits as they stand."""
        return [self.goes_on] if self.goes_on else []

    @property
    def named_around(self) -> Named:
        """Of one that only adds. Before a last visit that is whoever owns it, unless it names somebody itself: then
        it matters to nobody.
        """
        return (self.goes_on.owner if self.goes_on else None, None)

    @property
    def hits_from(self) -> tuple[datetime, str]:
        """From which hit on they are read."""
        if visit := self.goes_on:
            return (visit.last_at + timedelta.resolution, "")
        return self.start


class Folded(NamedTuple):
    """A range as it was and as it is, both up to its stop."""

    part: Range
    old: Sequence[Visit]
    new: Sequence[Visit]
    is_done: bool
    """The visit that stands at the stop starts as it did, so that nothing behind it differs."""


def fold_range(part: Range, hits: Sequence[Hit], lead: UUID | None, standing: Sequence[Visit]) -> Folded:
    """The range folded anew. `lead` is whom the visit has identified that is resumed whole."""
    new = fold(hits, part.resumed, lead)
    if part.stop is None:
        return Folded(part, standing, new, is_done=True)
    if new and new[-1].key == part.stop and new[-1].start == standing[-1].start:
        return Folded(part, standing[:-1], new[:-1], is_done=True)
    before = [hit for hit in hits if (hit.occurred_at, hit.event_id) < part.stop]
    return Folded(part, standing[:-1], fold(before, part.resumed, lead), is_done=False)


class Difference(NamedTuple):
    """What folds change: visits, each with its visitor, owners beyond the ranges, and touches for deals."""

    gone: list[tuple[int, Visit]]
    changed: list[tuple[int, Visit]]
    new: list[tuple[int, Visit]]
    edges: list[Edge]
    touches: list[Change]


def difference(folded: Sequence[Folded], around: Mapping[int, Named]) -> Difference:
    """What these ranges change, given by visitor who is named around each."""
    found = Difference([], [], [], [], [])
    for each in folded:
        visitor, (before, after) = each.part.visitor, around[each.part.visitor]
        stood = {visit.key: visit for visit in each.old}
        for visit in owned(each.new, before, after):
            was = stood.pop(visit.key, None)
            if was is None:
                found.new.append((visitor, visit))
            elif was != visit:
                found.changed.append((visitor, visit))
            else:
                continue
            found.touches.extend(_touch_change(was, visit))
        for visit in stood.values():
            found.gone.append((visitor, visit))
            found.touches.extend(_touch_change(visit, None))
        found.edges.extend(_edges(each, before, after))
    return found


def _touch_change(old: Visit | None, new: Visit | None) -> list[Change]:
    """What changed for deals: when, whose it was, whose it is."""
    if (old.credited if old else ()) == (new.credited if new else ()):
        return []
    visit = new or old
    assert visit is not None
    return [(visit.started_at, old.owner if old else None, new.owner if new else None)]


def _edges(folded: Folded, before: UUID | None, after: UUID | None) -> list[Edge]:
    """Where owners may change outside of the range: behind it, and before it while nobody was named earlier."""
    old = [visit.identified for visit in folded.old if visit.identified is not None]
    new = [visit.identified for visit in folded.new if visit.identified is not None]
    part, edges = folded.part, list[Edge]()
    if part.stop is not None and old[-1:] != new[-1:]:
        edges.append((part.visitor, *part.stop, new[-1] if new else before or after, True))
    if part.resumed is not None and before is None and old[:1] != new[:1]:
        edges.append((part.visitor, *part.start, new[0] if new else after, False))
    return edges
