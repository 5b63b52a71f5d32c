"""Which version of a deal counts, which touches it is credited to, and which of them are its milestones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.deal import Deal, DealEvent, deal_of
from schemas.event import EventType
from tests.reference.counting import Record
from tests.reference.offline import OfflineTouch
from tests.reference.people import People, Person, names_in
from tests.reference.visits import Source, Visit


@dataclass(frozen=True)
class Touch:
    """A visit with a page, or an offline touch."""

    occurred_at: datetime
    touch_id: str
    visitor_id: str
    """Empty for an offline touch that names none."""
    source: Source
    landing_page: str | None
    referrer: str | None
    owner: Person | None


@dataclass(frozen=True)
class Journey:
    """A won deal with its candidates in order, and the places among them of the lead's and the deal's creation."""

    deal: Deal
    touches: list[Touch]
    lead_creation: int
    deal_creation: int


def newest_deals(counting: Iterable[Record], zone: ZoneInfo) -> list[Deal]:
    """Each deal as its newest version, by update and then event id, has it."""
    versions = [record.event for record in counting if isinstance(record.event, DealEvent)]
    newest: dict[tuple[str, str], Deal] = {}
    for version in sorted(versions, key=lambda each: (each.updated_at, each.event_id)):
        newest[version.provider, version.deal_id] = deal_of(version, zone)
    return [deal for _, deal in sorted(newest.items())]


def touches_of(visits: Iterable[Visit], offline: Iterable[OfflineTouch]) -> list[Touch]:
    """Every visit in which some hit has a url, and every offline touch."""
    found = []
    for visit in visits:
        first, pages = visit.hits[0], [hit.url for hit in visit.hits if hit.url is not None]
        if pages:
            face = (first.occurred_at, first.event_id, first.visitor_id or "")
            found.append(Touch(*face, visit.source, pages[0], first.referrer, visit.owner))
    for each in offline:
        face = (each.event.occurred_at, each.event.event_id, each.event.visitor_id or "")
        found.append(Touch(*face, each.source, None, None, each.owner))
    return found


def journey_of(
    deal: Deal, touches: Iterable[Touch], people: People, counting: Iterable[Record], lookback: timedelta
) -> Journey:
    """The candidates: the touches of all the contacts' leads, within the lookback before the deal and up to its close.

    In order of time, touch id and visitor. Offline touches without a visitor may agree in these, for two people have event
    ids of their own; their words then tell them apart, and where those agree as well the order shows nowhere.
    """
    assert deal.closed_at is not None
    created_at = deal.created_at or deal.closed_at
    leads = {people.lead[name] for name in deal.contacts if name not in people.shared}
    begun = min(created_at, deal.closed_at)
    candidates = sorted(
        (
            touch
            for touch in touches
            if touch.owner in leads and touch.occurred_at <= deal.closed_at and begun - touch.occurred_at <= lookback
        ),
        key=lambda touch: (
            *(touch.occurred_at, touch.touch_id, touch.visitor_id),
            [(word is None, word or "") for word in touch.source],
        ),
    )
    times = [touch.occurred_at for touch in candidates]
    return Journey(deal, candidates, milestone(times, lead_created_at(leads, counting)), milestone(times, created_at))


def lead_created_at(leads: Iterable[Person], counting: Iterable[Record]) -> datetime | None:
    """The earliest form or identify with an identifier of any of the leads."""
    names = {name for lead in leads for name in lead}
    times = [
        record.event.occurred_at
        for record in counting
        if record.event.type in {EventType.form, EventType.identify} and names & set(names_in(record))
    ]
    return min(times, default=None)


def milestone(times: Sequence[datetime], at: datetime | None) -> int:
    """The last candidate at or before it; else, and when there is no such milestone, the first."""
    reached = [place for place, time in enumerate(times) if at is not None and time <= at]
    return max(reached, default=0)
