"""Whose a call, a fair or a letter is: a `touch` event is a touch of its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from schemas.event import Event, EventType
from tests.reference.counting import Record
from tests.reference.people import People, Person, names_in
from tests.reference.visits import Source, Visit, source_of


@dataclass(frozen=True)
class OfflineTouch:
    """A contact away from the website."""

    scope: tuple[str, str]
    """Within what its event id is unique."""
    event: Event
    source: Source
    owner: Person | None


def offline_touches_of(counting: Iterable[Record], people: People, visits: Sequence[Visit]) -> list[OfflineTouch]:
    return [
        OfflineTouch(record.scope, record.event, words_of(record), owner_of(record, people, visits))
        for record in counting
        if record.event.type is EventType.touch and not record.is_apart
    ]


def owner_of(record: Record, people: People, visits: Sequence[Visit]) -> Person | None:
    """The lead it names; else the owner of the visitor's last visit at or before it, else of the first."""
    theirs = [visit for visit in visits if visit.hits[0].visitor_id == record.event.visitor_id]
    before = [visit.owner for visit in theirs if visit.hits[0].occurred_at <= record.event.occurred_at]
    nearest = before[-1] if before else theirs[0].owner if theirs else None
    return people.identified_by(names_in(record)) or nearest


def words_of(record: Record) -> Source:
    """Source, medium and campaign as on a tagged link, and the channel that it names, else the one that they mean."""
    given = {f"utm_{name}": record.body.get(name) or "" for name in ("source", "medium", "campaign")}
    meant = source_of("https://site.example/?" + urlencode({"utm_id": "1", **given}), None)
    return ((record.body.get("channel") or "").strip() or meant[0], *meant[1:])
