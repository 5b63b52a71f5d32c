"""The visit fold: one visitor's hits in order become visits, and visits get owners.

Pure. A hit starts a new visit when it is the visitor's first; when more than 30 minutes passed since the previous hit
(4 hours when the page before was the site's own: the tab was there all along) or more than 12 hours since the visit's
first; when it brings another source; or when it names another person. Nobody is named at the start of a visit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.visit import DIRECT, Source

IDLE = timedelta(minutes=30)
IDLE_INSIDE = timedelta(hours=4)
LONGEST = timedelta(hours=12)

ClickId = tuple[str, str]


class Hit(NamedTuple):
    """One step of a visitor, with everything a visit is made from."""

    occurred_at: datetime
    event_id: str
    internal: bool
    """The referrer is the site's own."""
    only_referrer: bool
    """The source stands in the referrer alone: no UTM parameter, no paid click id."""
    url: str | None
    referrer: str | None
    source: Source | None
    """What the hit itself brings; None when nobody sent it, or the site did."""
    click_ids: tuple[ClickId, ...]
    named: UUID | None
    """The identifier that names somebody, shared ones passed over."""
    lead: UUID | None
    """Whom it names."""


class Start(NamedTuple):
    """What a visit's first hit settled, from which the fold can go on: later hits depend on nothing earlier."""

    source: Source
    running: Source


@dataclass(frozen=True, slots=True)
class Visit:
    """Hits of one visitor that belong together."""

    started_at: datetime
    touch_id: str
    last_at: datetime
    hits: int
    source: Source
    running: Source
    """What later hits' sources are compared with: its own, or after a change of person the one before."""
    landing_page: str | None
    referrer: str | None
    click_ids: tuple[ClickId, ...]
    identified: UUID | None
    owner: UUID | None = None

    @property
    def key(self) -> tuple[datetime, str]:
        """Order and identity within the visitor."""
        return (self.started_at, self.touch_id)

    @property
    def start(self) -> Start:
        return Start(self.source, self.running)

    @property
    def credited(self) -> tuple[object, ...]:
        """Everything that a deal's credits depend on; None for a visit that is no touch."""
        touch = (self.source, self.landing_page, self.referrer, self.owner)
        return touch if self.landing_page is not None and self.owner is not None else ()


class _Open:
    """The visit that the fold is in."""

    __slots__ = ("click_ids", "first", "hits", "identified", "landing_page", "lead", "previous", "start")

    def __init__(self, first: Hit, start: Start) -> None:
        self.first, self.start = first, start
        self.hits = 0
        self.landing_page: str | None = None
        self.click_ids: dict[ClickId, None] = {}
        self.identified: UUID | None = None
        self.lead: UUID | None = None
        self.add(first)

    def add(self, hit: Hit) -> None:
        self.previous = hit
        self.hits += 1
        if self.landing_page is None:
            self.landing_page = hit.url
        if hit.click_ids:
            self.click_ids.update(dict.fromkeys(hit.click_ids))
        if self.lead is None:
            self.identified, self.lead = hit.named, hit.lead

    def closed(self) -> Visit:
        return Visit(
            started_at=self.first.occurred_at,
            touch_id=self.first.event_id,
            last_at=self.previous.occurred_at,
            hits=self.hits,
            source=self.start.source,
            running=self.start.running,
            landing_page=self.landing_page,
            referrer=self.first.referrer,
            click_ids=tuple(self.click_ids),
            identified=self.identified,
        )


def fold(hits: Iterable[Hit], resumed: Start | None = None) -> list[Visit]:
    """The visits of hits given in order of (occurred_at, event_id), without owners.

    With `resumed` the first hit is known to start a visit, and how; without, it is the visitor's first.
    """
    visits: list[Visit] = []
    visit: _Open | None = None
    for hit in hits:
        start = _first(hit, resumed) if visit is None else _new_start(visit, hit)
        if start is None:
            assert visit is not None
            visit.add(hit)
            continue
        if visit is not None:
            visits.append(visit.closed())
        visit = _Open(hit, start)
    if visit is not None:
        visits.append(visit.closed())
    return visits


def _first(hit: Hit, resumed: Start | None) -> Start:
    source = hit.source or DIRECT
    return resumed or Start(source, source)


def _new_start(visit: _Open, hit: Hit) -> Start | None:
    """How `hit` starts a visit after the open one, or None when it goes on with it."""
    previous = visit.previous
    pause = hit.occurred_at - previous.occurred_at
    if pause > (IDLE_INSIDE if hit.internal else IDLE) or hit.occurred_at - visit.first.occurred_at > LONGEST:
        source = hit.source or DIRECT
        return Start(source, source)
    # Single-page apps report the referrer of the landing page on every page view: it was news only once.
    repeated = hit.only_referrer and hit.referrer == previous.referrer
    if hit.source is not None and not repeated and hit.source != visit.start.running:
        return Start(hit.source, hit.source)
    if hit.lead is not None and visit.lead is not None and hit.lead != visit.lead:
        # Another person at the same computer: the campaign brought the first one, not this one.
        return Start(DIRECT, visit.start.running)
    return None


def owned(visits: Sequence[Visit], before: UUID | None, after: UUID | None) -> list[Visit]:
    """The visits with their owners: whoever is named in one, else the last one named earlier, else the first later.

    `before` and `after` are whom the nearest naming visits outside of these name, None when there are none. So a form
    takes the visitor's anonymous past along, and a second person on the same cookie takes nothing from the first.
    """
    named = [visit.identified for visit in visits if visit.identified is not None]
    current = before if before is not None else (named[0] if named else after)
    result = []
    for visit in visits:
        current = visit.identified if visit.identified is not None else current
        result.append(replace(visit, owner=current) if current != visit.owner else visit)
    return result
