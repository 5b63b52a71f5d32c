"""The visit fold: one visitor's hits in order become visits, and visits get owners.

Pure. A hit starts a new visit when it is the visitor's first; when more than 30 minutes passed since the previous hit
(4 hours when the page before was the site's own: the tab was there all along) or more than 12 hours since the visit's
first; when it brings another source; or when it names another person. Nobody is named at the start of a visit.
"""

from collections.abc import Iterable, Sequence
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


class Visit(NamedTuple):
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


class Standing(NamedTuple):
    """A visit with which hits after its last one may go on, and the rest of what they need to know of it."""

    visit: Visit
    last_referrer: str | None
    """The referrer of its last hit."""


class _Open:
    """The visit that the fold is in."""

    __slots__ = (
        *("started_at", "touch_id", "referrer", "start", "last_at", "last_referrer", "hits"),
        *("landing_page", "click_ids", "identified", "lead"),
    )

    def __init__(self, first: Hit, start: Start) -> None:
        self.started_at, self.touch_id, self.referrer = first.occurred_at, first.event_id, first.referrer
        self.start = start
        self.hits = 0
        self.landing_page: str | None = None
        self.click_ids: dict[ClickId, None] = {}
        self.identified: UUID | None = None
        self.lead: UUID | None = None
        self.add(first)

    @classmethod
    def of(cls, standing: Standing, lead: UUID | None) -> "_Open":
        visit = standing.visit
        opened = cls.__new__(cls)
        opened.started_at, opened.touch_id, opened.referrer = visit.started_at, visit.touch_id, visit.referrer
        opened.start, opened.hits, opened.landing_page = visit.start, visit.hits, visit.landing_page
        opened.last_at, opened.last_referrer = visit.last_at, standing.last_referrer
        opened.click_ids = dict.fromkeys(visit.click_ids)
        opened.identified, opened.lead = visit.identified, lead
        return opened

    def add(self, hit: Hit) -> None:
        self.last_at, self.last_referrer = hit.occurred_at, hit.referrer
        self.hits += 1
        if self.landing_page is None:
            self.landing_page = hit.url
        if hit.click_ids:
            self.click_ids.update(dict.fromkeys(hit.click_ids))
        if self.lead is None:
            self.identified, self.lead = hit.named, hit.lead

    def closed(self) -> Visit:
        return Visit(
            started_at=self.started_at,
            touch_id=self.touch_id,
            last_at=self.last_at,
            hits=self.hits,
            source=self.start.source,
            running=self.start.running,
            landing_page=self.landing_page,
            referrer=self.referrer,
            click_ids=tuple(self.click_ids),
            identified=self.identified,
        )


def fold(hits: Iterable[Hit], resumed: Start | Standing | None = None, lead: UUID | None = None) -> list[Visit]:
    """The visits of hits given in order of (occurred_at, event_id), without owners.

    With a Start the first hit is known to start a visit, and how; with a Standing visit the hits come after its last
    one, it is the first of the visits returned, and `lead` is whom it has identified; without, the first hit is the
    visitor's first.
    """
    visits: list[Visit] = []
    visit, known = (_Open.of(resumed, lead), None) if isinstance(resumed, Standing) else (None, resumed)
    for hit in hits:
        start = _new_start(visit, hit) if visit is not None else known or _first(hit)
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


def _first(hit: Hit) -> Start:
    source = hit.source or DIRECT
    return Start(source, source)


def _new_start(visit: _Open, hit: Hit) -> Start | None:
    """How `hit` starts a visit after the open one, or None when it goes on with it."""
    pause = hit.occurred_at - visit.last_at
    if pause > (IDLE_INSIDE if hit.internal else IDLE) or hit.occurred_at - visit.started_at > LONGEST:
        return _first(hit)
    # Single-page apps report the referrer of the landing page on every page view: it was news only once.
    repeated = hit.only_referrer and hit.referrer == visit.last_referrer
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
        result.append(visit._replace(owner=current) if current != visit.owner else visit)
    return result
