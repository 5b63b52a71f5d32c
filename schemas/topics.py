"""The topics of the log: what each holds, and the key that keeps the order of what belongs together."""

from typing import NamedTuple

from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event, EventType


class Topic(NamedTuple):
    """A topic's name and its number of partitions, which is fixed for ever: it decides where a key lives."""

    name: str
    partitions: int


EVENTS = Topic("events", 8)
DEALS = Topic("deals", 4)
TOPICS = (EVENTS, DEALS)

IDENTITY, ATTRIBUTOR = "identity", "attributor"
"""The consumer groups."""

READERS = {IDENTITY: TOPICS, ATTRIBUTOR: (DEALS,)}
"""The topics that each consumer group reads. Identity reads deals for the people on them."""

DEAL_TYPES = frozenset({EventType.deal, EventType.contact})
"""What a CRM says; the attributor reads these alone."""


def topic_of(event_type: EventType) -> Topic:
    return DEALS if event_type in DEAL_TYPES else EVENTS


def scope_of(event: Event) -> str:
    """Within what an `event_id` is unique.

    The visitor, else the first of e-mail, user and previous id, else the type; of deals and contacts their provider.
    """
    if isinstance(event, DealEvent | ContactEvent):
        return f"provider:{event.provider}"
    if event.visitor_id is not None:
        return f"visitor:{event.visitor_id}"
    identifiers = event.person.identifiers()
    return identifiers[0] if identifiers else f"type:{event.type}"


def key_of(event: Event) -> bytes:
    """The log's key: what shares it stays in order. A deal's versions share one, and so do a visitor's hits."""
    key = f"deal:{event.provider}:{event.deal_id}" if isinstance(event, DealEvent) else scope_of(event)
    return key.encode()
