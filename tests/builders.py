"""Events as the collector logs them, in few words: what a test leaves out is as plain as it can be."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.codec import decode, encode
from schemas.instant import format_instant
from schemas.topics import topic_of
from services.runtime.delivering import Delivery
from services.runtime.rules import Rules

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
RECEIVED = "2026-06-01T00:00:00.000000Z"

ID_KEY = "a key for tests"
RULES = Rules(lookback_days=90, own_domains=(), timezone="UTC")
SITE = "https://shop.example/"
GOOGLE_AD = SITE + "?utm_source=google&utm_medium=cpc&utm_campaign=spring"
NEWSLETTER = SITE + "?utm_source=newsletter&utm_medium=email"
GOOGLE = "https://www.google.com/"
BING = "https://www.bing.com/"
INSIDE = SITE + "shoes"


def at(clock: str = "00:00", day: int = 1) -> datetime:
    """An instant by its time of day, such as 09:30 or 09:30:15.5, on a day counted from 1 January 2026."""
    hours, minutes, *seconds = clock.split(":")
    time = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds[0]) if seconds else 0)
    return JANUARY + timedelta(days=day - 1) + time


def make_event(kind: str, event_id: str, occurred_at: datetime, **fields: Any) -> dict[str, Any]:
    """A logged event. Personal values are given as they stand in `person`: email, user_id, previous_id, contact_id."""
    person = {name: fields.pop(name) for name in PERSONAL if name in fields}
    stamped = {"event_id": event_id, "type": kind, "occurred_at": format_instant(occurred_at), "received_at": RECEIVED}
    return {**stamped, **fields, **({"person": person} if person else {})}


PERSONAL = ("email", "user_id", "previous_id", "contact_id", "contacts", "fields", "a", "b")


def page(visitor: str, event_id: str, occurred_at: datetime, url: str = SITE, **fields: Any) -> dict[str, Any]:
    """A page view."""
    return make_event("pageview", event_id, occurred_at, visitor_id=visitor, url=url, **fields)


def form(visitor: str | None, event_id: str, occurred_at: datetime, email: str, **fields: Any) -> dict[str, Any]:
    """A form sent in, by someone without a cookie when there is no visitor."""
    cookie = {} if visitor is None else {"visitor_id": visitor, "url": SITE + "contact", "referrer": SITE}
    return make_event("form", event_id, occurred_at, email=email, **{**cookie, **fields})


def contact(event_id: str, occurred_at: datetime, contact_id: str, email: str, **fields: Any) -> dict[str, Any]:
    """What a CRM says of a contact."""
    return make_event("contact", event_id, occurred_at, contact_id=contact_id, email=email, **fields)


def deal(deal_id: str, event_id: str, occurred_at: datetime, stage: str = "won", **fields: Any) -> dict[str, Any]:
    """One version of a deal; a won one is worth 100.00 EUR and closed when it was updated, unless told otherwise."""
    money = {} if stage == "deleted" else {"amount": "100.00", "currency": "EUR"}
    version = {"deal_id": deal_id, "stage": stage, "updated_at": format_instant(occurred_at)}
    return make_event("deal", event_id, occurred_at, **{**version, **money, **fields})


def delivery(payload: dict[str, Any], offset: int = 0) -> Delivery:
    """The payload as a consumer gets it, through the codec."""
    value = encode(payload)
    event, body = decode(value)
    return Delivery(topic_of(event.type).name, 0, offset, value, event, body)
