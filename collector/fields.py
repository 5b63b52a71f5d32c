"""The fields of an event that have a meaning here, and the kind of each. All others are kept as they come. Pure."""

from typing import Any, Final, NamedTuple

from collector.refusal import Reason, RefusedError
from schemas.event import EventType


class Field(NamedTuple):
    """One known field: the JSON types it may have, the reason to refuse it otherwise, and its length where bounded."""

    kinds: tuple[type, ...]
    reason: Reason
    shortest: int = 0
    longest: int | None = None


_TEXT = (str,)
_ID = (str, int, float)
_NUMBER = (str, int, float)

_COMMON: dict[str, Field] = {
    "type": Field(_TEXT, Reason.invalid_type),
    "event_id": Field(_TEXT, Reason.invalid_event_id, 1, 128),
    "occurred_at": Field(_TEXT, Reason.invalid_occurred_at),
    "sent_at": Field(_TEXT, Reason.invalid_sent_at),
    "sentAt": Field(_TEXT, Reason.invalid_sent_at),
    "visitor_id": Field(_TEXT, Reason.invalid_visitor_id, 0, 128),
    "user_id": Field(_ID, Reason.invalid_user_id),
    "previous_id": Field(_ID, Reason.invalid_previous_id),
    "email": Field(_TEXT, Reason.invalid_email),
    "url": Field(_TEXT, Reason.invalid_url),
    "referrer": Field(_TEXT, Reason.invalid_referrer),
    "title": Field(_TEXT, Reason.invalid_title),
    "name": Field(_TEXT, Reason.invalid_name),
    "properties": Field((dict,), Reason.invalid_properties),
    "consent": Field((dict,), Reason.invalid_consent),
    "form": Field((dict,), Reason.invalid_form),
}

_MONEY: dict[str, Field] = {
    "amount": Field(_NUMBER, Reason.invalid_amount),
    "currency": Field(_TEXT, Reason.invalid_currency),
}

_SOURCE: dict[str, Field] = {
    "source": Field(_TEXT, Reason.invalid_source),
    "medium": Field(_TEXT, Reason.invalid_medium),
    "campaign": Field(_TEXT, Reason.invalid_campaign),
}

_PROVIDER = Field(_TEXT, Reason.invalid_provider, 1, 256)

_OF_TYPE: dict[EventType, dict[str, Field]] = {
    EventType.deal: {
        "provider": _PROVIDER,
        "deal_id": Field(_TEXT, Reason.invalid_deal_id, 1, 256),
        "stage": Field(_TEXT, Reason.invalid_stage),
        "created_at": Field(_TEXT, Reason.invalid_created_at),
        "closed_at": Field(_TEXT, Reason.invalid_closed_at),
        "updated_at": Field(_TEXT, Reason.invalid_updated_at),
        "owner": Field(_TEXT, Reason.invalid_owner),
        "contacts": Field((list,), Reason.invalid_contacts),
        **_MONEY,
    },
    EventType.contact: {"provider": _PROVIDER, "contact_id": Field(_ID, Reason.invalid_contact_id)},
    EventType.unlink: {
        "a": Field(_TEXT, Reason.invalid_a),
        "b": Field(_TEXT, Reason.invalid_b),
        "undo": Field((bool,), Reason.invalid_undo),
    },
    EventType.touch: {"channel": Field(_TEXT, Reason.invalid_channel), **_SOURCE},
    EventType.spend: {"date": Field(_TEXT, Reason.invalid_date), **_SOURCE, **_MONEY},
    EventType.rate: {
        "date": Field(_TEXT, Reason.invalid_date),
        "from": Field(_TEXT, Reason.invalid_from),
        "to": Field(_TEXT, Reason.invalid_to),
        "rate": Field(_NUMBER, Reason.invalid_rate),
    },
}

FIELDS: Final = {event_type: {**_COMMON, **_OF_TYPE.get(event_type, {})} for event_type in EventType}
"""The known fields of each type of event, by name."""

_TYPES = {event_type.value: event_type for event_type in EventType}


def type_of(item: dict[str, Any]) -> EventType:
    """Raises RefusedError (type_missing, invalid_type, type_unknown)."""
    given = item.get("type")
    if given is None:
        raise RefusedError(Reason.type_missing)
    if not isinstance(given, str):
        raise RefusedError(Reason.invalid_type)
    event_type = _TYPES.get(given)
    if event_type is None:
        raise RefusedError(Reason.type_unknown, f"type: {given[:64]!r} is none of {', '.join(_TYPES)}")
    return event_type


def known_fields(item: dict[str, Any], fields: dict[str, Field]) -> dict[str, Any]:
    """A copy of the event in which every known field has its kind; one that is null is absent. Raises RefusedError."""
    event = {}
    for name, value in item.items():
        field = fields.get(name)
        if field is not None:
            if value is None:
                continue
            if type(value) not in field.kinds:  # exactly: to isinstance, True would be a number
                raise RefusedError(field.reason)
            if field.longest is not None and not field.shortest <= len(value) <= field.longest:
                raise RefusedError(field.reason)
        event[name] = value
    return event
