"""What events say beyond hits. Pure.

Of people: offline touches, cuts, traits, and who was named together by whom. Of nobody: spend and exchange rates, which
are here because a spend's source has a channel like a touch's, and because all that is logged is read here.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from identity.channel import offline_source
from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event, EventType
from schemas.identifier import identifier_id
from schemas.instant import parse_date
from schemas.money import minor_units, parse_rate
from schemas.spend import RateEvent, SpendEvent
from schemas.statement import TouchEvent, UnlinkEvent
from schemas.topics import scope_of

NAMELESS = frozenset({EventType.unlink, EventType.erase, EventType.spend, EventType.rate})
"""Types whose identifiers are spoken about, not seen."""

ALWAYS_SAY = NAMELESS | {EventType.touch}
SAY_WHO = frozenset({EventType.form, EventType.identify, EventType.email_open})
"""Types that say something of people also on a visitor: the ones always, the others when they name somebody."""


class StatementFact(NamedTuple):
    """One record of what is said beyond hits, or that shares its event ids; as the table has it."""

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
    """JSON, of a form or a call that names somebody: traits, fields, and what else it gave that is no identifier."""
    day: date | None = None
    amount: int | None = None
    """Of spend, in minor units of its currency."""
    currency: str | None = None
    """Of spend; of a rate the one that it turns into another."""
    to_currency: str | None = None
    factor: Decimal | None = None
    """Of a rate, see `schemas.money.parse_rate`."""


def is_statement(event: Event, names_somebody: bool) -> bool:
    """Whether the event says something beyond hits, or may take the event id of one that does.

    It names somebody when it carries an identifier, also one that is kept apart.

    Those without a visitor share their event ids with all that name the same person first; those with one share them
    with the visitor's hits, which are facts of their own.
    """
    if isinstance(event, SpendEvent | RateEvent):
        return True
    if "person" not in event.model_fields_set:
        return event.type is EventType.touch
    if isinstance(event, DealEvent):
        return False
    if isinstance(event, ContactEvent):
        return names_somebody
    if event.type in ALWAYS_SAY:
        return True
    return names_somebody and (event.visitor_id is None or event.type in SAY_WHO)


def statement_of(
    event: Event, body: dict[str, Any], rank: UUID, identifiers: Sequence[UUID], key: str
) -> StatementFact:
    """The fact that one such event is; `identifiers` in the order in which they name a lead."""
    head = StatementFact(
        identifier_id(scope_of(event), key),
        event.event_id,
        event.occurred_at,
        rank,
        event.type.value,
        None if isinstance(event, ContactEvent) else event.visitor_id,
        listed(identifiers),
    )
    if event.kept_apart:
        return head
    if isinstance(event, UnlinkEvent):
        a, b = sorted(identifier_id(side, key) for side in event.sides if side)
        return head._replace(a=a, b=b, undo=event.undo)
    if isinstance(event, TouchEvent):
        return _with_source(head, event.channel, event)._replace(name=event.name)
    if isinstance(event, SpendEvent):
        amount = minor_units(event.amount, event.currency)
        return _with_source(head, None, event)._replace(
            day=parse_date(event.date), amount=amount, currency=event.currency
        )
    if isinstance(event, RateEvent):
        factor = parse_rate(event.rate, event.from_, event.to)
        return head._replace(day=parse_date(event.date), currency=event.from_, to_currency=event.to, factor=factor)
    said = {name: value for name in ("traits", "fields") if (value := body["person"].get(name))}
    if event.person.refused:
        said["refused"] = event.person.refused
    return head._replace(person=orjson.dumps(said).decode()) if said and identifiers else head


def _with_source(fact: StatementFact, channel: str | None, event: TouchEvent | SpendEvent) -> StatementFact:
    found = offline_source(channel, event.source, event.medium, event.campaign)
    return fact._replace(channel=found.channel, source=found.source, medium=found.medium, campaign=found.campaign)


def listed(identifiers: Sequence[UUID]) -> str | None:
    """Ids separated by commas; arrays of arrays do not pass through unnest."""
    return ",".join(map(str, identifiers)) if identifiers else None
