"""The shapes of the answer why a deal's money went where it went."""

from typing import Literal
from uuid import UUID

from services.reports.answers import Answer, CreditedTouch, Instant, Problem, TouchSource
from services.reports.receipt_answers import Moved


class Version(Answer):
    """What the CRM said of the deal at one time."""

    event_id: str
    updated_at: Instant
    stage: str
    amount: str | None
    currency: str | None
    created_at: Instant | None
    closed_at: Instant | None
    owner: str | None
    contacts: list[str]
    counts: bool
    """False where another record has taken its event id."""
    is_newest: bool
    """Of those that count: the deal is as this one says."""


class Contact(Answer):
    """Somebody whom the deal names."""

    contact: str | None
    """The identifier; null while identity has not read it."""
    lead_id: UUID | None
    """The lead that it is."""
    shared: bool
    """Seen with too many people to connect or name one."""
    identifiers: list[str]
    """All identifiers of that lead: whatever visit one of them owns can be credited."""


class OutsideTouches(Answer):
    """Touches of the same leads that the deal does not look at."""

    side: Literal["before", "after"]
    touches: int
    nearest_at: Instant
    nearest_channel: str
    nearest_source: str
    nearest_medium: str
    nearest_landing_page: str | None


class Window(Answer):
    """When a touch can be credited: from `lookback_days` before the deal began up to its close, both included."""

    first: Instant
    last: Instant
    lookback_days: int
    """As the rules are now."""
    outside: list[OutsideTouches]


class Milestone(Answer):
    """A touch that some models give more to: the last at or before `at`, else the first."""

    milestone: Literal["first touch", "lead creation", "deal creation", "last touch"]
    at: Instant | None
    """Null where the ledger knows the touch alone."""
    place: int
    """From 1 on."""


class ExplainedTouch(CreditedTouch, TouchSource):
    """A touch of the journey, and why it stands in it."""

    place: int
    """From 1 on, in the order of time."""
    owned_by: Literal["identified", "earlier", "later", "named"] | None
    """Why the visit is the lead's: somebody was identified in it; in the last visit before it that identified one; in
    the first after it. An offline touch may name its lead. Null where the touch is no longer of these leads."""
    lead_id: UUID | None
    identifier: str | None
    """The identifier that owns it."""


class Part(Answer):
    """What one touch earned."""

    place: int
    share: str
    """The exact fraction, `1/3`; a decimal number where the rules have changed since."""
    percent: str
    exact: str | None
    """The money before rounding, as a fraction of minor units; null where the rules have changed since."""
    rounded_down: str | None
    """The money in whole minor units; null likewise."""
    given: bool
    """Whether rounding gave it one minor unit of what rounding down had left."""
    amount: str


class Split(Answer):
    """The money under one model: largest remainders, ties to the earlier touch. The amounts sum to the deal's."""

    model: str
    left: str | None
    """What all `rounded_down` leave of the deal's amount: one minor unit to each part that is `given` one."""
    parts: list[Part]


class MovedMoney(Moved):
    """What one channel won or lost, in its currency: a correction may change that as well."""

    currency: str


class Correction(Answer):
    """What the ledger closed and opened of the deal at one instant."""

    at: Instant
    cause: str
    amount: str | None
    """Null where the deal was no longer won."""
    currency: str | None
    touches: int
    moved: list[MovedMoney]
    """By channel, under the first of `splits`' models; the largest movement first."""


class DealExplanation(Answer):
    """A deal, who its leads are, what its journey earned and why, and how it came to that."""

    id: str
    provider: str
    deal_id: str
    stage: str
    amount: str | None
    currency: str | None
    created_at: Instant | None
    closed_at: Instant | None
    updated_at: Instant | None
    owner: str | None
    as_of: Instant | None
    """The time that money and journey are of; null is now. Leads and versions are always as they are now."""
    versions: list[Version]
    """In the CRM's order, the newest hundred."""
    contacts: list[Contact]
    credited: bool
    """Whether the ledger has an entry: the deal was won."""
    credited_amount: str | None
    """Of the entry, with `credited_currency`; null without one."""
    credited_currency: str | None
    window: Window | None
    """Null without an entry."""
    milestones: list[Milestone]
    touches: list[ExplainedTouch]
    splits: list[Split]
    missing: list[Problem]
    """What was looked for and not found, where nobody can be credited."""
    history: list[Correction]
    """The newest hundred, the oldest first."""
