"""What the events that move money or people must carry, so that nothing that is accepted fails in a consumer. Pure."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from collector.refusal import Reason, RefusedError
from schemas.deal import Stage, resolve_date
from schemas.event import EventType
from schemas.identifier import email_identifier, parse_identifier
from schemas.instant import parse_date
from schemas.money import EXPONENTS, minor_units, parse_rate

DEFAULT_PROVIDER: Final = "webhook"
"""The provider of a deal or a contact that names none."""

_UTC = ZoneInfo("UTC")
_STAGES = {stage.value for stage in Stage}


def settle_payload(event: dict[str, Any], event_type: EventType) -> None:
    """Check and complete what this type of event carries; its known fields are of their kinds. Raises RefusedError."""
    settle = _SETTLE.get(event_type)
    if settle is not None:
        settle(event)


def _settle_deal(event: dict[str, Any]) -> None:
    _settle_provider(event)
    if "deal_id" not in event:
        raise RefusedError(Reason.invalid_deal_id, "deal_id: is missing")
    if event.get("stage") not in _STAGES:
        raise RefusedError(Reason.invalid_stage)
    _settle_money(event, required=event["stage"] == Stage.won)
    for name, reason in (("created_at", Reason.invalid_created_at), ("closed_at", Reason.invalid_closed_at)):
        if name in event:
            try:
                resolve_date(event[name], _UTC)
            except ValueError as error:
                raise RefusedError(reason, f"{name}: {error}") from error
    for index, contact in enumerate(event.get("contacts", ())):
        place = f"contacts.{index}"
        if not isinstance(contact, dict) or not isinstance(contact.get("email"), str | None):
            raise RefusedError(Reason.invalid_contacts, f"{place}: {Reason.invalid_contacts.hint}")
        _settle_contact_id(contact, Reason.invalid_contacts, f"{place}.contact_id")


def _settle_contact(event: dict[str, Any]) -> None:
    _settle_provider(event)
    if "contact_id" not in event:
        raise RefusedError(Reason.invalid_contact_id, "contact_id: is missing")
    _settle_contact_id(event, Reason.invalid_contact_id, "contact_id")


def _settle_provider(event: dict[str, Any]) -> None:
    provider = event.setdefault("provider", DEFAULT_PROVIDER)
    if ":" in provider:
        raise RefusedError(Reason.invalid_provider, "provider: holds a colon, which parts it from the deal's id")


def _settle_contact_id(holder: dict[str, Any], reason: Reason, place: str) -> None:
    """A whole number may come as 42.0: it is 42. Any other is its decimal text."""
    given = holder.get("contact_id")
    if isinstance(given, float) and given.is_integer():
        holder["contact_id"] = int(given)
    elif isinstance(given, bool) or not isinstance(given, str | int | float | None):
        raise RefusedError(reason, f"{place}: {Reason.invalid_contact_id.hint}")


def _settle_money(event: dict[str, Any], *, required: bool) -> None:
    """The amount as decimal text and the currency in upper case, and both such that they make minor units."""
    if "currency" in event:
        event["currency"] = _currency(event["currency"], Reason.invalid_currency, "currency")
    if "amount" in event:
        event["amount"] = decimal_text_of(event["amount"])
        if "currency" not in event:
            raise RefusedError(Reason.invalid_currency, "currency: is missing")
        try:
            minor_units(event["amount"], event["currency"])
        except ValueError as error:
            raise RefusedError(Reason.invalid_amount, f"amount: {error}") from error
    elif required:
        raise RefusedError(Reason.invalid_amount, "amount: is missing")


def decimal_text_of(number: str | float) -> str:
    """Text as it is; a JSON number as its shortest decimal digits, never with an exponent."""
    if isinstance(number, str):
        return number
    return str(int(number)) if number == int(number) else format(Decimal(repr(number)), "f")


def _currency(text: str, reason: Reason, place: str) -> str:
    currency = text.upper()
    if currency not in EXPONENTS:
        raise RefusedError(reason, f"{place}: is no currency code of ISO 4217")
    return currency


def _settle_unlink(event: dict[str, Any]) -> None:
    a, b = (parse_identifier(event.get(side, "")) for side in "ab")
    if a is None:
        raise RefusedError(Reason.invalid_a)
    if b is None or a == b:
        raise RefusedError(Reason.invalid_b)


def _settle_erase(event: dict[str, Any]) -> None:
    if email_identifier(event.get("email")) is None:
        raise RefusedError(Reason.invalid_email, "email: is no e-mail address")


def _settle_spend(event: dict[str, Any]) -> None:
    _check_date(event)
    _settle_money(event, required=True)


def _settle_rate(event: dict[str, Any]) -> None:
    _check_date(event)
    event["from"] = _currency(event.get("from", ""), Reason.invalid_from, "from")
    event["to"] = _currency(event.get("to", ""), Reason.invalid_to, "to")
    if event["from"] == event["to"]:
        raise RefusedError(Reason.invalid_to)
    event["rate"] = decimal_text_of(event.get("rate", ""))
    try:
        parse_rate(event["rate"], event["from"], event["to"])
    except ValueError as error:
        raise RefusedError(Reason.invalid_rate) from error


def _check_date(event: dict[str, Any]) -> None:
    try:
        parse_date(event.get("date", ""))
    except ValueError as error:
        raise RefusedError(Reason.invalid_date, f"date: {error}") from error


_SETTLE: dict[EventType, Callable[[dict[str, Any]], None]] = {
    EventType.deal: _settle_deal,
    EventType.contact: _settle_contact,
    EventType.unlink: _settle_unlink,
    EventType.erase: _settle_erase,
    EventType.spend: _settle_spend,
    EventType.rate: _settle_rate,
}
