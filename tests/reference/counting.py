"""Which records count: of several with one event id the least, whichever came first.

An event id is unique within its visitor; without one within its identifier (e-mail, else user, else previous id), else
within its type. A deal's is unique within its provider, and so is a contact's.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785

from schemas.codec import model_of
from schemas.event import Event, EventType
from schemas.identifier import email_identifier, user_identifier


@dataclass(frozen=True)
class Record:
    """One logged event: read, and as it was written."""

    event: Event
    body: dict[str, Any]

    @property
    def scope(self) -> tuple[str, str]:
        """Within what the event id is unique."""
        event, person = self.event, self.event.person
        if event.type in {EventType.deal, EventType.contact}:
            return (event.type, self.body.get("provider", "webhook"))
        if event.visitor_id is not None:
            return ("visitor", event.visitor_id)
        names = [email_identifier(person.email), user_identifier(person.user_id), user_identifier(person.previous_id)]
        return next((("identifier", name) for name in names if name), ("type", event.type))

    @property
    def rank(self) -> tuple[datetime, bytes]:
        """The least counts: the earliest, and of those of one instant the one whose content has the least hash."""
        content = {name: value for name, value in self.body.items() if name != "received_at"}
        return (self.event.occurred_at, hashlib.sha256(rfc8785.dumps(content)).digest())

    @property
    def is_apart(self) -> bool:
        """Whether this is nobody's: a bot's, a mail scanner's, a prefetch, or the owner's own visit."""
        return self.body.get("kept_apart") is not None


def records_of(payloads: Iterable[dict[str, Any]]) -> list[Record]:
    return [Record(model_of(payload), payload) for payload in payloads]


def that_count(records: Iterable[Record]) -> list[Record]:
    """One record of every event id. One that is kept apart takes its event id all the same."""
    by_id: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        by_id.setdefault((*record.scope, record.event.event_id), []).append(record)
    return [min(rivals, key=lambda record: record.rank) if rivals[1:] else rivals[0] for rivals in by_id.values()]
