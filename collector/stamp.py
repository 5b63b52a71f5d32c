"""The collector's stamp: all that depends on the request or the clock, decided once for each event. Pure.

What stands in the stamped event is what every consumer and every replay goes by; they read no clock and ask nobody.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from collector.consent import settle_consent, without_click_ids
from collector.fields import FIELDS, known_fields, type_of
from collector.keys import Sender
from collector.payload import settle_payload
from collector.persons import gather_person
from collector.refusal import Reason, RefusedError
from schemas.canonical import canonical
from schemas.click_ids import strip_click_ids
from schemas.deal import resolve_date
from schemas.event import ADMIN_ONLY, EventType
from schemas.identifier import is_blocked
from schemas.instant import format_instant, parse_instant

AHEAD: Final = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours before we take our own time."""

URL_BYTES: Final = 8 * 1024
"""The longest url and referrer."""

_AS_GIVEN = frozenset(
    {EventType.deal, EventType.contact, EventType.unlink, EventType.erase, EventType.spend, EventType.rate}
)
"""Types whose time is a statement of the sender's books, not of his clock: neither corrected nor clamped."""


class Request(NamedTuple):
    """What the stamp needs to know of the request that an event came in."""

    sender: Sender
    received_at: datetime
    zone: ZoneInfo
    """In which a deal's dates without time end."""
    random_id: Callable[[], str]
    address: str | None = None
    """Already truncated, see `network_of`."""
    cookie: str | None = None
    """The visitor id of our own cookie."""
    refused_by_signal: bool = False
    kept_apart: str | None = None
    """Why its events are nobody's, see `apart`."""


class Batch(NamedTuple):
    """What an event takes from the body that it came in, when it has none of its own."""

    sent_at: object = None
    """The sender's time, as it came."""
    new_visitor: str | None = None
    """The visitor id made for a tracker's call; None for all other calls."""


def stamp(item: dict[str, Any], request: Request, batch: Batch) -> dict[str, Any]:
    """The event as it will be logged. `item` has passed `strict_json.check`. Raises RefusedError."""
    event_type = type_of(item)
    if event_type in ADMIN_ONLY and request.sender is not Sender.admin:
        raise RefusedError(Reason.type_needs_admin)
    event = known_fields(item, FIELDS[event_type])
    sent_at = _pop_sent_at(event, batch)
    analytics = settle_consent(event, refused_by_signal=request.refused_by_signal)
    _settle_addresses(event, analytics=analytics)
    if not analytics:
        event = without_click_ids(event)
    _settle_visitor(event, event_type, request.cookie or batch.new_visitor, analytics=analytics)
    settle_payload(event, event_type)
    gather_person(event, event_type)
    given = _given_time(event, event_type, request)
    _settle_event_id(event, given, request)
    event["occurred_at"] = format_instant(_settled_time(given, sent_at, event_type, request))
    event["received_at"] = format_instant(request.received_at)
    if request.address is not None:
        event["address"] = request.address
    if request.kept_apart is not None:
        event["kept_apart"] = request.kept_apart
    return event


def visitor_for(event_id: str, id_key: bytes) -> str:
    """The visitor id that is made from a request's first event id: the same for a retry, and known to nobody else.

    HMAC-SHA256 (RFC 2104); the prefix keeps it apart from the keyed ids of identifiers, which share the key.
    """
    return hmac.digest(id_key, b"visitor:" + event_id.encode(), hashlib.sha256).hex()[:32]


def network_of(host: str) -> str | None:
    """The sender's network: IPv4 to 24 bits, IPv6 to 48; None when `host` is no address."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), 48), strict=False).network_address)
        address = address.ipv4_mapped
    return str(ip_network((int(address), 24), strict=False).network_address)


def _pop_sent_at(event: dict[str, Any], batch: Batch) -> datetime | None:
    """When the sender sent the event, by his clock; its whole effect is the corrected time."""
    own = (event.pop("sent_at", None), event.pop("sentAt", None))
    text = next((text for text in (*own, batch.sent_at) if text is not None), None)
    return None if text is None else _instant(text, Reason.invalid_sent_at, "sent_at")


def _settle_addresses(event: dict[str, Any], *, analytics: bool) -> None:
    for name in ("url", "referrer"):
        url = event.get(name)
        if url is None:
            continue
        if len(url) * 4 > URL_BYTES and len(url.encode()) > URL_BYTES:
            raise RefusedError(Reason.url_too_long, f"{name}: {Reason.url_too_long.hint}")
        if not analytics:
            event[name] = strip_click_ids(url)


def _settle_visitor(event: dict[str, Any], event_type: EventType, ours: str | None, *, analytics: bool) -> None:
    """The visitor by the sender's word, else by ours (our cookie's, or the one just made); none without consent."""
    given = event.pop("visitor_id", None)
    if not analytics:
        return
    if given is not None and not is_blocked(given):
        event["visitor_id"] = given
    elif ours is not None and event_type not in ADMIN_ONLY:
        event["visitor_id"] = ours


def _given_time(event: dict[str, Any], event_type: EventType, request: Request) -> datetime | None:
    """When it happened by the sender's word; a deal's is the time of this version, which is written down here."""
    occurred_at = event.get("occurred_at")
    given = None if occurred_at is None else _instant(occurred_at, Reason.invalid_occurred_at, "occurred_at")
    if event_type is EventType.deal:
        if "updated_at" in event:
            try:
                given = resolve_date(event["updated_at"], request.zone)
            except ValueError as error:
                raise RefusedError(Reason.invalid_updated_at, f"updated_at: {error}") from error
        event["updated_at"] = format_instant(given or request.received_at)
    return given


def _settled_time(
    given: datetime | None, sent_at: datetime | None, event_type: EventType, request: Request
) -> datetime:
    """Corrected by what the sender's clock is off, and never more than 5 minutes ahead of ours."""
    if given is None:
        return request.received_at
    if event_type in _AS_GIVEN:
        return given
    if sent_at is not None:
        try:
            given = request.received_at - (sent_at - given)
        except OverflowError as error:
            raise RefusedError(Reason.invalid_occurred_at, "occurred_at: too far from sent_at") from error
    return request.received_at if given > request.received_at + AHEAD else given


def _settle_event_id(event: dict[str, Any], given: datetime | None, request: Request) -> None:
    """Without an id, an event that says when it happened gets the hash of itself, so that sending it twice is once.

    The time is the one that the sender gave: the corrected one differs from try to try. Nothing else of the request is
    in it but the visitor.
    """
    for name in ("received_at", "address", "kept_apart"):
        event.pop(name, None)
    if "event_id" in event:
        return
    if given is None:
        event["event_id"] = request.random_id()
        return
    event["occurred_at"] = format_instant(given)
    event["event_id"] = hashlib.sha256(canonical(event)).hexdigest()[:32]


def _instant(text: object, reason: Reason, place: str) -> datetime:
    if not isinstance(text, str):
        raise RefusedError(reason)
    try:
        return parse_instant(text)
    except ValueError as error:
        raise RefusedError(reason, f"{place}: {error}") from error
