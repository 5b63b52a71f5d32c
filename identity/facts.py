"""From events to facts: what a batch says of identifiers, of their pairs, and of visitors' hits.

Pure. Facts are sets: the same events in any order, any number of times, say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from identity.channel import arrive, offline_source
from schemas.canonical import event_rank
from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event, EventType
from schemas.identifier import identifier_id
from schemas.statement import TouchEvent, UnlinkEvent
from schemas.topics import scope_of
from schemas.visit import SourceColumns

NO_SOURCE: SourceColumns = (None, None, None, None, None, None)

NAMELESS = frozenset({EventType.unlink, EventType.erase, EventType.spend, EventType.rate})
"""Types whose identifiers are spoken about, not seen."""

ALWAYS_SAY = NAMELESS | {EventType.touch}
SAY_WHO = frozenset({EventType.form, EventType.identify})
"""Types that say something of people also where they are hits: the ones always, the others when they name somebody."""


class Seen(NamedTuple):
    """An identifier and when an event carried it first."""

    id: UUID
    value: str
    first_at: datetime


class HitFact(NamedTuple):
    """One record of a hit, as the table has it."""

    visitor_id: str
    event_id: str
    occurred_at: datetime
    rank: UUID
    type: str
    internal: bool
    only_referrer: bool
    url: str | None
    referrer: str | None
    title: str | None
    name: str | None
    channel: str | None
    source: str | None
    medium: str | None
    campaign: str | None
    content: str | None
    term: str | None
    click_ids: str | None
    identifiers: str | None
    """Ids, separated by commas; arrays of arrays do not pass through unnest."""
    kept_apart: str | None = None


class StatementFact(NamedTuple):
    """One record of what is said of people beyond hits, or that shares its event ids; as the table has it."""

    scope: UUID
    event_id: str
    occurred_at: datetime
    rank: UUID
    type: str
    visitor_id: str | None
    identifiers: str | None
    """As those of a hit."""
    a: UUID | None = None
    b: UUID | None = None
    undo: bool = False
    name: str | None = None
    channel: str | None = None
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    person: str | None = None
    """JSON, of a form or a call that names somebody."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch of events says."""

    seen: list[Seen] = field(default_factory=list)
    """Sorted by id, one each."""
    pairs: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Sorted, the lesser id first."""
    hits: list[HitFact] = field(default_factory=list)
    """Of all of a visitor's events: one that is no hit may still be the record that counts for an `event_id`."""
    carriers: list[tuple[UUID, str]] = field(default_factory=list)
    """Identifiers and the visitors that carried them, sorted."""
    statements: list[StatementFact] = field(default_factory=list)
    """Sorted by their keys."""


def facts_of(events: Iterable[tuple[Event, dict[str, Any]]], key: str, own_domains: Sequence[str]) -> Facts:
    """The facts in these events. `key` makes the identifiers' ids; `own_domains` are the site's."""
    seen: dict[UUID, Seen] = {}
    pairs: set[tuple[UUID, UUID]] = set()
    hits: dict[tuple[str, str, datetime, UUID], HitFact] = {}
    carriers: set[tuple[UUID, str]] = set()
    statements: dict[tuple[UUID, str, datetime, UUID], StatementFact] = {}

    for event, body in events:
        own: list[UUID] = []
        for group in identifier_groups(event):
            ids = [identifier_id(value, key) for value in group]
            for identifier, value in zip(ids, group, strict=True):
                known = seen.get(identifier)
                if known is None or event.occurred_at < known.first_at:
                    seen[identifier] = Seen(identifier, value, event.occurred_at)
            pairs.update((min(pair), max(pair)) for pair in combinations(ids, 2))
            own = ids
        if event.visitor_id is not None and not isinstance(event, DealEvent | ContactEvent):
            hit = hit_of(event, body, own, own_domains)
            hits[hit[:4]] = hit
            carriers.update((identifier, hit.visitor_id) for identifier in own)
        if is_statement(event):
            statement = statement_of(event, body, own, key)
            statements[statement[:4]] = statement
    return Facts(
        sorted(seen.values()),
        sorted(pairs),
        [hits[place] for place in sorted(hits)],
        sorted(carriers),
        [statements[place] for place in sorted(statements)],
    )


def identifier_groups(event: Event) -> list[tuple[str, ...]]:
    """The identifiers that the event carries together; a deal's contacts are people each of their own."""
    if "person" not in event.model_fields_set or event.type in NAMELESS or event.kept_apart:
        return []
    if isinstance(event, DealEvent):
        return [names for contact in event.person.contacts if (names := contact.identifiers(event.provider))]
    names = event.person.identifiers(event.provider if isinstance(event, ContactEvent) else None)
    return [names] if names else []


def hit_of(event: Event, body: dict[str, Any], identifiers: Sequence[UUID], own_domains: Sequence[str]) -> HitFact:
    """The fact that one hit is; `identifiers` in the order in which they name a lead."""
    assert event.visitor_id is not None
    arrival = arrive(event.url, event.referrer, own_domains)
    brought: SourceColumns = arrival.source.columns if arrival.own else NO_SOURCE
    return HitFact(
        event.visitor_id,
        event.event_id,
        event.occurred_at,
        event_rank(body),
        event.type.value,
        arrival.internal,
        arrival.only_referrer,
        event.url,
        event.referrer,
        event.title,
        event.name,
        *brought,
        orjson.dumps(arrival.click_ids).decode() if arrival.click_ids else None,
        _listed(identifiers),
        event.kept_apart,
    )


def is_statement(event: Event) -> bool:
    """Whether the event says something of people, or may take the event id of one that does.

    Those without a visitor share their event ids with all that name the same person first; those with one share them
    with the visitor's hits, which are facts of their own.
    """
    if "person" not in event.model_fields_set:
        return event.type is EventType.touch
    if isinstance(event, DealEvent | ContactEvent):
        return False
    if event.type in ALWAYS_SAY:
        return True
    return (event.visitor_id is None or event.type in SAY_WHO) and bool(event.person.identifiers())


def statement_of(event: Event, body: dict[str, Any], identifiers: Sequence[UUID], key: str) -> StatementFact:
    """The fact that one such event is; `identifiers` in the order in which they name a lead."""
    head = StatementFact(
        identifier_id(scope_of(event), key),
        event.event_id,
        event.occurred_at,
        event_rank(body),
        event.type.value,
        event.visitor_id,
        _listed(identifiers),
    )
    if event.kept_apart:
        return head
    if isinstance(event, UnlinkEvent):
        a, b = sorted(identifier_id(side, key) for side in event.sides if side)
        return head._replace(a=a, b=b, undo=event.undo)
    if isinstance(event, TouchEvent):
        source = offline_source(event.channel, event.source, event.medium, event.campaign)
        return head._replace(
            name=event.name,
            channel=source.channel,
            source=source.source,
            medium=source.medium,
            campaign=source.campaign,
        )
    said = {name: value for name in ("traits", "fields") if (value := body["person"].get(name))}
    return head._replace(person=orjson.dumps(said).decode()) if said and identifiers else head


def _listed(identifiers: Sequence[UUID]) -> str | None:
    return ",".join(map(str, identifiers)) if identifiers else None
