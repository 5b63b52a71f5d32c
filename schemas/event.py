"""The event: the one thing that is logged, as consumers read it. Everything else is derived from the set of events."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, InstanceOf, PlainSerializer

from schemas.instant import format_instant, within_time
from schemas.person import Person

EVENT_BYTES = 32 * 1024
"""The longest event, as JSON."""


class EventType(StrEnum):
    """What happened. Hits make up visits; the others do not."""

    pageview = "pageview"
    form = "form"
    identify = "identify"
    click = "click"
    download = "download"
    video = "video"
    custom = "custom"
    email_open = "email_open"
    touch = "touch"
    deal = "deal"
    contact = "contact"
    spend = "spend"
    rate = "rate"
    unlink = "unlink"
    erase = "erase"


HITS = frozenset(
    {
        EventType.pageview,
        EventType.form,
        EventType.identify,
        EventType.click,
        EventType.download,
        EventType.video,
        EventType.custom,
    }
)
"""Types that, on a visitor, are steps of a visit."""

ADMIN_ONLY = frozenset(
    {
        EventType.deal,
        EventType.contact,
        EventType.touch,
        EventType.spend,
        EventType.rate,
        EventType.unlink,
        EventType.erase,
    }
)
"""Types that a public write key may not send: they move money or people."""


Instant = Annotated[AwareDatetime, AfterValidator(within_time), PlainSerializer(format_instant, return_type=str)]
"""UTC, to the microsecond; written as RFC 3339."""


class Consent(BaseModel):
    """What the visitor allowed. Without analytics there is no visitor id and no click id in the event."""

    model_config = ConfigDict(frozen=True, extra="allow")

    analytics: bool = True
    marketing: bool = True


class Event(BaseModel):
    """One logged event, as the collector stamped it. Fields that are not listed are kept as they came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    event_id: Annotated[str, Field(min_length=1, max_length=128)]
    """Unique within the event's scope, see `scope_of`."""
    type: EventType
    occurred_at: Instant
    """When it happened, corrected by the collector for the sender's clock."""
    received_at: AwareDatetime
    """When the collector took it, in any offset; decides nothing."""
    visitor_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    url: str | None = None
    referrer: str | None = None
    title: str | None = None
    name: str | None = None
    properties: InstanceOf[dict[str, Any]] | None = None
    """The logged JSON's own object, no copy of it."""
    person: Person = Person()
    """All personal values of the event, and only they."""
    consent: Consent = Consent()
    address: str | None = None
    """The sender's network: IPv4 to 24 bits, IPv6 to 48."""
    kept_apart: str | None = None
    """Why the event is nobody's, such as a bot's: it makes no visit and no lead. None for a person's."""
