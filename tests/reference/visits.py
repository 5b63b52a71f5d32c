"""Which hits are one visit, where each visit came from, and whose it is. One visitor at a time, its hits in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from identity.channel import classify
from schemas.click_ids import CLICK_IDS
from schemas.event import HITS, Event
from tests.reference.counting import Record
from tests.reference.people import People, Person, names_in

Source = tuple[str | None, ...]
"""Channel, source, medium, campaign, content, term."""
DIRECT: Source = ("Direct", "(direct)", "(none)", None, None, None)

HALF_HOUR, FOUR_HOURS, TWELVE_HOURS = timedelta(minutes=30), timedelta(hours=4), timedelta(hours=12)


@dataclass
class Visit:
    """Hits of one visitor that belong together."""

    source: Source
    compared: Source
    """What a hit's source must differ from to start another visit."""
    hits: list[Event] = field(default_factory=list)
    lead: Person | None = None
    """Whom it has identified."""
    owner: Person | None = None


def visits_of(counting: Iterable[Record], people: People) -> list[Visit]:
    """All visits, those of one visitor one after another in their order."""
    hits: dict[str, list[Record]] = {}
    for record in counting:
        if record.event.type in HITS and record.event.visitor_id is not None and not record.is_apart:
            hits.setdefault(record.event.visitor_id, []).append(record)
    return [
        visit
        for _, theirs in sorted(hits.items())
        for visit in owned(
            folded(sorted(theirs, key=lambda each: (each.event.occurred_at, each.event.event_id)), people)
        )
    ]


def folded(hits: Sequence[Record], people: People) -> list[Visit]:
    visits: list[Visit] = []
    for record in hits:
        lead = people.identified_by(names_in(record))
        rule = starting_rule(visits[-1] if visits else None, record.event, lead)
        if rule == 4:
            visits.append(Visit(DIRECT, compared=visits[-1].compared))
        elif rule:
            source = own_source(record.event) or DIRECT
            visits.append(Visit(source, compared=source))
        visits[-1].hits.append(record.event)
        visits[-1].lead = visits[-1].lead or lead
    return visits


def starting_rule(visit: Visit | None, hit: Event, lead: Person | None) -> int | None:
    """The first of the four rules by which the hit starts a new visit; none when it goes on with the current one."""
    if visit is None:
        return 1
    previous, first = visit.hits[-1], visit.hits[0]
    patience = FOUR_HOURS if comes_from_inside(hit) else HALF_HOUR
    if hit.occurred_at - previous.occurred_at > patience or hit.occurred_at - first.occurred_at > TWELVE_HOURS:
        return 2
    source = own_source(hit)
    if source and source != visit.compared and not repeats_referrer(hit, previous):
        return 3
    if lead and visit.lead and lead != visit.lead:
        return 4
    return None


def owned(visits: list[Visit]) -> list[Visit]:
    """Each visit is its own lead's; else that of the last earlier visit that identified one; else of the first later."""
    for place, visit in enumerate(visits):
        earlier = [other.lead for other in visits[: place + 1] if other.lead]
        later = [other.lead for other in visits[place + 1 :] if other.lead]
        visit.owner = [*earlier[-1:], *later, None][0]
    return visits


def own_source(hit: Event) -> Source | None:
    """What the hit itself brings; nothing when it is direct or internal."""
    source = source_of(hit.url, hit.referrer)
    return None if source[0] in {"Direct", "Internal"} else source


def comes_from_inside(hit: Event) -> bool:
    """Whether the referrer is the site's own, whatever the url says."""
    return source_of(hit.url and hit.url.partition("?")[0], hit.referrer)[0] == "Internal"


def repeats_referrer(hit: Event, previous: Event) -> bool:
    """The previous hit's referrer, and nothing in the url that brings a source: no UTM parameter, no paid click id."""
    return hit.referrer == previous.referrer and source_of(hit.url, None) == DIRECT


@cache
def source_of(url: str | None, referrer: str | None) -> Source:
    found = classify(url, referrer)
    return tuple(found[name] for name in ("channel", "source", "medium", "campaign", "content", "term"))


def click_ids(visit: Visit) -> list[tuple[str, str]]:
    """All of a visit, each once: of one url those that count more first, of a repeated name the first."""
    found = []
    for hit in visit.hits:
        given = dict(reversed([(name.lower(), value) for name, value in parse_qsl(urlsplit(hit.url or "").query)]))
        found += [(name, given[name]) for name in CLICK_IDS if name in given]
    return list(dict.fromkeys(found))
