"""From a request's body to the log's records: what is accepted, what is refused, and why. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from collector.fields import type_of
from collector.persons import names_a_stand_in
from collector.refusal import Reason, RefusedError
from collector.stamp import Batch, Request, stamp
from collector.strict_json import check, parse
from schemas.codec import UndecodableError, encode, model_of
from schemas.event import EVENT_BYTES
from schemas.identifier import is_blocked
from schemas.topics import DEAL_TYPES, key_of, topic_of

BATCH_EVENTS: Final = 500
"""The most events of one request."""

_LONGEST_GROWTH: Final = 5
"""By how much JSON can grow when orjson writes it anew: the four bytes of `1e15` become eighteen."""


class Envelope(NamedTuple):
    """A body, opened: its events and what it says of them all."""

    items: list[Any]
    text_is_sound: bool
    """See `strict_json.Parsed`."""
    write_key: object
    sent_at: object
    may_hold_large: bool
    """Whether an event of the body can be over the cap at all; most bodies are far too short."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event that was refused: which, and why."""

    index: int
    reason: Reason
    detail: str


@dataclass(slots=True)
class Taken:
    """The outcome of one request, before anything is stored."""

    records: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    """Key and value by topic, in the order of the body."""
    accepted: int = 0
    types: dict[str, int] = field(default_factory=dict)
    """How many of the accepted have which type."""
    rejected: list[Rejection] = field(default_factory=list)
    new_visitor: str | None = None
    """The visitor id that was made for this request."""
    made_visitor: bool = False
    """Whether an accepted event carries it."""
    blocked_visitors: int = 0
    """Accepted events that came with a stand-in for a visitor id."""
    blocked_identifiers: int = 0
    """Accepted events that came with a stand-in for an e-mail address or another identifier."""
    kept_apart: str | None = None
    """Why all of them are kept apart, see `apart`."""


def open_body(body: bytes) -> Envelope:
    """An event, an array of events, or an object with a `batch` of them. Raises RefusedError for the whole body."""
    value, text_is_sound = parse(body)
    write_key = sent_at = None
    items = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        write_key = value.pop("writeKey", None)
        if isinstance(value.get("batch"), list) and "type" not in value:
            items = value["batch"]
            sent_at = value.get("sent_at", value.get("sentAt"))
    if not items:
        raise RefusedError(Reason.batch_empty)
    if len(items) > BATCH_EVENTS:
        raise RefusedError(Reason.batch_too_long)
    return Envelope(items, text_is_sound, write_key, sent_at, len(body) * _LONGEST_GROWTH > EVENT_BYTES)


def take(envelope: Envelope, request: Request, visitor_for: Callable[[str], str] | None) -> Taken:
    """Judge every event of the body.

    `visitor_for` makes a visitor id of an event id: given for a tracker's call, None for all others.
    """
    new_visitor = None
    if visitor_for is not None and request.cookie is None:
        new_visitor = visitor_for(_first_event_id(envelope) or request.random_id())
    batch = Batch(envelope.sent_at, new_visitor)
    taken = Taken(new_visitor=new_visitor, kept_apart=request.kept_apart)
    for index, item in enumerate(envelope.items):
        try:
            _check_item(item, envelope)
            event = stamp(item, request, batch)
            record = (_key(event), encode(event))
        except RefusedError as refused:
            taken.rejected.append(Rejection(index, refused.reason, refused.detail))
            continue
        taken.records.setdefault(topic_of(type_of(event)).name, []).append(record)
        taken.accepted += 1
        taken.types[event["type"]] = taken.types.get(event["type"], 0) + 1
        visitor, given = event.get("visitor_id"), item.get("visitor_id")
        taken.made_visitor |= visitor is not None and visitor == new_visitor
        taken.blocked_visitors += given is not None and given != visitor and is_blocked(given)
        taken.blocked_identifiers += "person" in event and names_a_stand_in(event["person"])
    return taken


def _check_item(item: Any, envelope: Envelope) -> None:
    if not isinstance(item, dict):
        raise RefusedError(Reason.not_an_object)
    check(item, text_is_sound=envelope.text_is_sound)
    if envelope.may_hold_large and len(orjson.dumps(item)) > EVENT_BYTES:
        raise RefusedError(Reason.event_too_large)


def _key(event: dict[str, Any]) -> bytes:
    """The log's key as `schemas.topics` has it; for an event with a visitor it is known without building the model."""
    visitor = event.get("visitor_id")
    if visitor is not None and event["type"] not in DEAL_TYPES:
        return f"visitor:{visitor}".encode()
    try:
        return key_of(model_of(event))
    except UndecodableError as error:
        raise RefusedError(Reason.invalid_event, str(error)) from error


def _first_event_id(envelope: Envelope) -> str | None:
    for item in envelope.items:
        event_id = item.get("event_id") if isinstance(item, dict) else None
        if isinstance(event_id, str) and 0 < len(event_id) <= 128 and _is_text(event_id):
            return event_id
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
