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

from identity.channel import arrive
from identity.statements import NAMELESS, StatementFact, is_statement, listed, statement_of
from schemas.canonical import event_rank
from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event
from schemas.identifier import identifier_id
from schemas.visit import SourceColumns

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
    identifiers: str | None
    """Ids, separated by commas; arrays of arrays do not pass through unnest."""
    kept_apart: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a batch of events says."""

    seen: list[Seen] = field(default_factory=list)
    """Sorted by id, one each."""
    pairs: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Sorted, the lesser id first."""
    hits: list[HitFact] = field(default_factory=list)
    """Of all of a visitor's events: one that is no hit may still be the record that counts for an `event_id`."""
    carriers: list[tuple[UUID, str, datetime, datetime]] = field(default_factory=list)
    """Identifiers, the visitors that carried them, and when first and last; sorted."""
    statements: list[StatementFact] = field(default_factory=list)
    """Sorted by their keys."""


def facts_of(events: Iterable[tuple[Event, dict[str, Any]]], key: str, own_domains: Sequence[str]) -> Facts:
    """The facts in these events. `key` makes the identifiers' ids; `own_domains` are the site's."""
    seen: dict[UUID, Seen] = {}
    pairs: set[tuple[UUID, UUID]] = set()
    hits: dict[tuple[str, str, datetime, UUID], HitFact] = {}
    carriers: dict[tuple[UUID, str], tuple[datetime, datetime]] = {}
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
            for identifier in own:
                first, last = carriers.get((identifier, hit.visitor_id), (hit.occurred_at, hit.occurred_at))
                span = (min(first, hit.occurred_at), max(last, hit.occurred_at))
                carriers[identifier, hit.visitor_id] = span
        if is_statement(event):
            statement = statement_of(event, body, own, key)
            statements[statement[:4]] = statement
    return Facts(
        sorted(seen.values()),
        sorted(pairs),
        [hits[place] for place in sorted(hits)],
        sorted((*carried, *span) for carried, span in carriers.items()),
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
        listed(identifiers),
        event.kept_apart,
    )
