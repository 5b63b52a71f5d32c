"""From events to facts: what a batch says of identifiers, of their pairs, and of visitors' hits.

Pure. Facts are sets: the same events in any order, any number of times, say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from identity.channel import arrive
from identity.statements import NAMELESS, StatementFact, is_statement, statement_of
from schemas.canonical import event_rank
from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event
from schemas.identifier import identifier_id
from schemas.topics import DEAL_TYPES

SourceColumns = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
NO_SOURCE: SourceColumns = (None, None, None, None, None, None)


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
    identifiers: list[UUID] | None
    kept_apart: str | None = None


Carrier = tuple[UUID, str, datetime, datetime]
"""An identifier, a visitor that carried it, and when first and last."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch of events says. All in an order of their own, so that two who store them never wait in a circle."""

    seen: list[Seen] = field(default_factory=list)
    """One each, by id, as whoever settles leads takes them."""
    pairs: list[tuple[UUID, UUID]] = field(default_factory=list)
    """The lesser id first."""
    hits: list[HitFact] = field(default_factory=list)
    """Of all of a visitor's events: one that is no hit may still be the record that counts for an `event_id`."""
    carriers: list[Carrier] = field(default_factory=list)
    statements: list[StatementFact] = field(default_factory=list)


def facts_of(events: Iterable[tuple[Event, dict[str, Any]]], key: str, own_domains: Sequence[str]) -> Facts:
    """The facts in these events. `key` makes the identifiers' ids; `own_domains` are the site's."""
    # By the identifiers' texts: uuid.UUID hashes and compares in Python.
    seen: dict[str, Seen] = {}
    pairs: dict[tuple[str, str], tuple[UUID, UUID]] = {}
    carriers: dict[tuple[str, str], Carrier] = {}
    # By their ranks, which are the hashes of whole events.
    hits: dict[UUID, HitFact] = {}
    statements: dict[UUID, StatementFact] = {}

    for event, body in events:
        rank = event_rank(body)
        group: tuple[str, ...] = ()
        groups = identifier_groups(event)
        for group in () if event.kept_apart else groups:
            for value in group:
                _see(seen, value, event.occurred_at, key)
            for pair in combinations(sorted(group), 2):
                pairs[pair] = _lesser_first(*(seen[value].id for value in pair))
        own = [seen[value].id for value in group]
        if event.visitor_id is not None and event.type not in DEAL_TYPES:
            hits[rank] = hit_of(event, rank, own, own_domains)
            for value in group:
                place, at = (value, event.visitor_id), event.occurred_at
                _, _, first, last = carriers.get(place, (None, None, at, at))
                carriers[place] = (seen[value].id, event.visitor_id, min(first, at), max(last, at))
        if is_statement(event, bool(groups)):
            statements[rank] = statement_of(event, body, rank, own, key)
    return Facts(
        sorted(seen.values(), key=lambda each: each.id.int),
        [pairs[pair] for pair in sorted(pairs)],
        sorted(hits.values()),
        [carriers[place] for place in sorted(carriers)],
        sorted(statements.values(), key=attrgetter("event_id", "occurred_at", "rank")),
    )


def _see(seen: dict[str, Seen], value: str, at: datetime, key: str) -> None:
    known = seen.get(value)
    if known is None or at < known.first_at:
        seen[value] = Seen(known.id if known else identifier_id(value, key), value, at)


def _lesser_first(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    return (one, other) if one.int < other.int else (other, one)


def identifier_groups(event: Event) -> list[tuple[str, ...]]:
    """The identifiers that the event carries together; a deal's contacts are people each of their own."""
    if "person" not in event.model_fields_set or event.type in NAMELESS:
        return []
    if isinstance(event, DealEvent):
        return [names for contact in event.person.contacts if (names := contact.identifiers(event.provider))]
    names = event.person.identifiers(event.provider if isinstance(event, ContactEvent) else None)
    return [names] if names else []


def hit_of(event: Event, rank: UUID, identifiers: Sequence[UUID], own_domains: Sequence[str]) -> HitFact:
    """The fact that one hit is; `identifiers` in the order in which they name a lead."""
    assert event.visitor_id is not None
    arrival = arrive(event.url, event.referrer, own_domains)
    brought: SourceColumns = arrival.source if arrival.own else NO_SOURCE
    return HitFact(
        event.visitor_id,
        event.event_id,
        event.occurred_at,
        rank,
        str(event.type),
        arrival.internal,
        arrival.only_referrer,
        event.url,
        event.referrer,
        event.title,
        event.name,
        *brought,
        orjson.dumps(arrival.click_ids).decode() if arrival.click_ids else None,
        list(identifiers) or None,
        event.kept_apart,
    )
