"""Events to bytes and back. The version stands in the value, so that a log kept for ever can be read for ever."""

from typing import Any

import orjson
from pydantic import ValidationError

from schemas.deal import ContactEvent, DealEvent
from schemas.event import Event, EventType
from schemas.spend import RateEvent, SpendEvent
from schemas.statement import TouchEvent, UnlinkEvent

VERSION = 1

_HEAD = b'{"v":%d,"event":' % VERSION
_MODELS: dict[str, type[Event]] = {
    EventType.deal.value: DealEvent,
    EventType.contact.value: ContactEvent,
    EventType.touch.value: TouchEvent,
    EventType.unlink.value: UnlinkEvent,
    EventType.spend.value: SpendEvent,
    EventType.rate.value: RateEvent,
}


class UndecodableError(Exception):
    """These bytes are no event that this version can read. `reason` is stable, the message says where."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def encode(event: dict[str, Any]) -> bytes:
    """The log's value of a stamped event."""
    return _HEAD + orjson.dumps(event) + b"}"


def decode(value: bytes) -> tuple[Event, dict[str, Any]]:
    """The event, and its JSON as it was logged. Raises UndecodableError."""
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UndecodableError("invalid_json", str(error)) from error
    event = envelope.get("event") if isinstance(envelope, dict) else None
    if not isinstance(event, dict):
        raise UndecodableError("not_an_event", "no object with v and event")
    version = envelope.get("v")
    if version != VERSION:
        shown = version if isinstance(version, int) else f"of type {type(version).__name__}"
        raise UndecodableError("unknown_version", f"version {shown}; this program reads {VERSION}")
    return model_of(event), event


def model_of(event: dict[str, Any]) -> Event:
    """A stamped event as its type's model. Raises UndecodableError that names the first bad field."""
    try:
        # Not model_validate, which takes a fifth longer for options that nobody sets.
        model: Event = _MODELS.get(str(event.get("type")), Event).__pydantic_validator__.validate_python(event)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UndecodableError("invalid_event", f"{place}: {first['msg']}" if place else first["msg"]) from error
    return model
