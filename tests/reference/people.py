"""Which identifiers are one person: those that events connect, less what is shared and what is held apart.

All records speak here, also those whose event id is taken by another: identifiers and links are sets that only grow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

from schemas.deal import ContactEvent, DealEvent
from schemas.event import EventType
from schemas.identifier import parse_identifier
from tests.reference.counting import Record

Link = frozenset[str]
"""Two identifiers."""
Person = frozenset[str]
"""All identifiers of one lead."""

MANY = 5
SPOKEN_OF = {EventType.unlink, EventType.erase, EventType.spend, EventType.rate}
"""Types that speak about people and carry nobody."""


@dataclass(frozen=True)
class People:
    """Everybody who was seen."""

    first_at: dict[str, datetime]
    """When each identifier was first carried."""
    lead: dict[str, Person]
    """Of each identifier its lead; one that is shared is alone in its own."""
    shared: set[str]

    def identified_by(self, names: Sequence[str]) -> Person | None:
        """The lead of the first of an event's identifiers, shared ones skipped."""
        return next((self.lead[name] for name in names if name not in self.shared), None)


def people_of(records: Sequence[Record], counting: Iterable[Record]) -> People:
    first_at: dict[str, datetime] = {}
    links: set[Link] = set()
    for record in records:
        for names in carried_together(record):
            links |= {frozenset(pair) for pair in combinations(names, 2)}
            for name in names:
                first_at[name] = min(first_at.get(name, record.event.occurred_at), record.event.occurred_at)
    links -= held_apart(counting)
    shared = {name for name in first_at if is_shared(name, links)}
    return People(first_at, components(first_at, {link for link in links if not link & shared}), shared)


def carried_together(record: Record) -> list[tuple[str, ...]]:
    """The identifiers that one record connects: an event's own, of a deal those of each contact by itself."""
    event = record.event
    if record.is_apart or event.type in SPOKEN_OF:
        return []
    if isinstance(event, DealEvent):
        return [contact.identifiers(event.provider) for contact in event.person.contacts]
    return [names_in(record)]


def names_in(record: Record) -> tuple[str, ...]:
    """Whom the record names, the strongest first: e-mail, CRM id, user id, previous id."""
    event = record.event
    if record.is_apart:
        return ()
    return event.person.identifiers(event.provider if isinstance(event, ContactEvent) else None)


def held_apart(counting: Iterable[Record]) -> set[Link]:
    """The pairs that their newest unlink, by time, event id and then content, did not lift."""
    said: dict[Link, list[tuple[Any, ...]]] = {}
    for record in counting:
        event = record.event
        if event.type is EventType.unlink and not record.is_apart:
            sides = [parse_identifier(side or "") for side in (event.person.a, event.person.b)]
            link = frozenset(side for side in sides if side)
            when = (event.occurred_at, event.event_id, record.rank)
            said.setdefault(link, []).append((*when, record.body.get("undo") is True))
    return {link for link, unlinks in said.items() if not max(unlinks)[-1]}


def is_shared(name: str, links: Iterable[Link]) -> bool:
    """A user or CRM id with more than five e-mails; an e-mail with more than five users, or contacts of one CRM."""
    partners = [next(iter(link - {name})) for link in links if name in link]
    kinds = [kind_of(partner) for partner in partners]
    if kind_of(name) == "email":
        return any(kinds.count(kind) > MANY for kind in set(kinds) if kind != "email")
    return kinds.count("email") > MANY


def kind_of(name: str) -> str:
    """`email`, `user`, or `crm:` and the provider."""
    kind, _, rest = name.partition(":")
    return f"crm:{rest.partition(':')[0]}" if kind == "crm" else kind


def components(names: Iterable[str], links: Iterable[Link]) -> dict[str, Person]:
    lead = {name: frozenset({name}) for name in names}
    for link in links:
        joined = frozenset[str]().union(*(lead[name] for name in link))
        lead |= dict.fromkeys(joined, joined)
    return lead
