"""What really happened in the simulated shop, as values: people, their visits and their deals, and who told us of it.

The system under test is sent the payloads alone. The rest is the truth that its answers are compared with.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

END = datetime(2026, 6, 30, tzinfo=UTC)
"""The shop's last day ends here. Fixed, so that a seed means the same money for ever."""

START = END - timedelta(days=90)
"""Day 0 of the simulated quarter; a few people were here before it."""

CURRENCY = "EUR"
PROVIDER = "demo"
SITE = "https://www.ledgerly.example"
"""A made-up company that sells accounting software to other companies."""

Payload = dict[str, Any]
"""One event as `POST /v1/events` takes it."""


class Reason(Enum):
    """Why nobody who watches cookies, forms and a CRM can see a visit as it was. The order is that of the ladder."""

    WORD_OF_MOUTH = ("hearsay", "a link passed on in a chat arrives as Direct")
    UNTAGGED = ("no tags", "an ad or newsletter link without campaign tags looks unpaid, or like nothing at all")
    REFUSED = ("refused", "who refuses to be measured is not, though a form still makes a lead")
    NEVER_IDENTIFIED = ("no e-mail", "buyers who never left an address on the site, but called")
    SECOND_DEVICE = ("2nd device", "visits on a device that never signed in")
    OTHER_ADDRESS = ("new e-mail", "the CRM has an address that the site has never heard of")
    SHARED_COMPUTER = ("shared PC", "several people in one browser: unnamed visits go to the one named before")
    LOOKBACK = ("too old", "visits before the lookback window")

    def __init__(self, label: str, meaning: str) -> None:
        self.label = label
        self.meaning = meaning


class Sender(Enum):
    """Which way an event takes to the collector."""

    SITE = "batches with the write key"
    WEBHOOK = "a signed CRM webhook"
    IMPORT = "batches with the admin token"


@dataclass(frozen=True, slots=True)
class Person:
    """A human, who may have a second mailbox. The first address is also the key of the lead that they become."""

    name: str
    email: str
    other_email: str
    user_id: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as it happened, which is also one touch by the rules of sessions."""

    visitor_id: str
    touch_id: str
    """The `event_id` of the first hit."""
    at: datetime
    person: str
    """Who really sat there: a `Person.email`."""
    true_channel: str
    seen_channel: str
    """The channel that the address and the referrer show."""
    mask: Reason | None
    """Why the two channels differ, where they do."""
    lead: str | None
    """Whom the visit identifies by a form or a login."""
    refused: bool
    """Without consent no cookie is kept: nobody sees this visit, though a form in it still makes a lead."""

    @property
    def order(self) -> tuple[datetime, str, str]:
        """How touches are ordered wherever order matters."""
        return (self.at, self.touch_id, self.visitor_id)


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal in its final state, who really made it and whom the CRM names for it."""

    deal_id: str
    people: frozenset[str]
    leads: frozenset[str]
    """The leads of its contacts: what the CRM's addresses lead to, not who bought."""
    won: bool
    amount: int
    """Cents."""
    created_at: datetime
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to the collector, at the time when its sender gets round to it."""

    at: datetime
    sender: Sender
    payload: Payload


@dataclass(frozen=True, slots=True)
class Shop:
    """A whole simulated shop. Every event occurs once, in the order of delivery."""

    seed: int
    visitors: int
    """Cookies, those of visitors who refused them included."""
    people: tuple[Person, ...]
    visits: tuple[Visit, ...]
    deals: tuple[Deal, ...]
    deliveries: tuple[Delivery, ...]

    def requests(self) -> list[Payload]:
        """Every event as `/v1/events` accepts it with the admin token, deals included, in the order of delivery."""
        return [delivery.payload for delivery in self.deliveries]

    @property
    def won_deals(self) -> tuple[Deal, ...]:
        return tuple(deal for deal in self.deals if deal.won)

    @property
    def leads(self) -> int:
        """People known by a form, a login or the CRM."""
        named = {visit.lead for visit in self.visits if visit.lead}
        return len(named.union(*(deal.leads for deal in self.deals)))
