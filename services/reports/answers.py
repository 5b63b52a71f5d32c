"""The shapes of the answers. Money is a decimal string in its currency, an instant RFC 3339 in UTC."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from schemas.instant import format_instant

Instant = Annotated[datetime, PlainSerializer(format_instant, return_type=str)]


class Answer(BaseModel):
    """A value that is sent and never changed."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """Why there is no answer: a stable code for programs, and what to do for people."""

    code: str
    message: str


class Figures(Answer):
    """What was won, by whom, and what it cost.

    Spend is told by `channel`, `source`, `medium` and `campaign` alone: by all else it is null, and so is what is
    divided by or from it.
    """

    amount: str
    deals: float
    """The sum of the shares, to six digits."""
    leads: int
    """Different leads that own a visit of this key in the period; by owner, those of the deals."""
    visits: int
    """Touches of this key in the period; by owner, those of the deals' journeys."""
    spend: str | None = None
    """What was spent in the period, by its date; null where none is known."""
    roas: float | None = None
    """Return on ad spend: `amount` / `spend`, to four digits; null without spend."""
    cac: str | None = None
    """Cost of acquiring a customer: `spend` / `deals`, rounded half even; null without spend, or without a deal."""
    cost_per_lead: str | None = None
    """`spend` / `leads`, rounded half even; null without spend, or without a lead."""


class Keyed(Answer):
    """A base of its own, so that the key stands first."""

    key: str


class Interval(Answer):
    """Between what an amount lies, in 95 of 100 draws of the period's journeys from a fixed seed."""

    low: str
    high: str


class RevenueRow(Figures, Keyed):
    """The figures of one key."""

    interval: Interval | None = None
    """Of a channel under `markov` or `shapley`, when asked for."""


class RevenueTotal(Figures):
    """All rows together; a lead in two of them counts once."""


class MissingRate(Answer):
    """Money that is in no row, because no rate turns its currency into that of the report."""

    from_: str = Field(serialization_alias="from")
    to: str
    deals: int
    amount: str
    """Of the deals, in the currency `from`."""
    spend: str
    """In the currency `from`."""
    day: str
    """The first day on which such money was won or spent; a rate of that day or before it turns all of it."""


class Revenue(Answer):
    """Who earned what."""

    model: str
    by: str
    from_: str | None = Field(serialization_alias="from")
    to: str | None
    currency: str | None
    """The one asked for, else the one that most deals have; null when nothing was won or spent."""
    rows: list[RevenueRow]
    """By amount, the largest first, then by key."""
    total: str
    """The money of all rows."""
    totals: RevenueTotal
    """All figures of all rows."""
    missing_rates: list[MissingRate]


class Deal(Answer):
    """A deal as its newest version has it."""

    id: str
    """`provider:deal_id`, the address that is always unique."""
    provider: str
    deal_id: str
    """The provider's own."""
    stage: str
    amount: str | None
    currency: str | None
    created_at: Instant | None
    closed_at: Instant | None
    owner: str | None
    first_channel: str | None
    """Of the journey that was credited; null unless won."""
    last_channel: str | None
    touches: int | None


class DealDetail(Deal):
    """A deal, and who and what belongs to it."""

    updated_at: Instant | None
    contacts: list[str]
    """Identifiers, as they are written."""
    leads: list[UUID]
    models: list[str]
    """Models that the deal's credits can be read under."""


class Deals(Answer):
    """A list of deals, the newest closed first."""

    deals: list[Deal]


class TouchSource(Answer):
    """Where a touch came from, and where it led."""

    channel: str
    source: str
    medium: str
    campaign: str | None
    content: str | None
    term: str | None
    landing_page: str | None
    referrer: str | None


class CreditedTouch(Answer):
    """Which touch, whose and when; null when none is known."""

    touch_id: str | None
    visitor_id: str | None
    occurred_at: Instant | None


class Credit(CreditedTouch, TouchSource):
    """One touch's part of a deal. `touch_id` is null when no touch is known."""

    share: float
    amount: str


class DealCredits(Answer):
    """Who earned a deal, in the order of its journey; nobody while it is not won."""

    id: str
    provider: str
    deal_id: str
    model: str
    stage: str
    amount: str | None
    currency: str | None
    credits: list[Credit]


class KeptApartRow(Answer):
    """What was kept apart from people for one reason."""

    reason: str
    """As the collector stamped it: `bot`, `mail_scanner`, `prefetch`, `own_visit`."""
    events: int
    visitors: int
    """Different visitor ids; a caller that keeps no cookie has a new one each time."""


class KeptApart(Answer):
    """What was kept apart from people."""

    from_: str | None = Field(serialization_alias="from")
    to: str | None
    rows: list[KeptApartRow]
    """By events, the most first, then by reason; of the events that have a visitor."""


class Status(Answer):
    """How far the state is behind the log."""

    settled: bool
    """Every event that was in the log when the call came has had all its effects."""
    lag: dict[str, int]
    """Records that each consumer group has still to read."""
    notes: dict[str, int]
    """Things that each group has still to look at again."""
    dead_letters: int
    events: int
    """Records in the log, all topics."""
    rules: dict[str, Any]
