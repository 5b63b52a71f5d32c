"""The shapes of the answers about whole journeys: from the first visit to the money, its paths, pages and owners.

Every share of something is between 0 and 1 and has four decimals, days are of 24 hours and have two.
"""

from datetime import date

from pydantic import Field

from services.reports.answers import Answer, Keyed, MissingRate


class OfPeriod(Answer):
    """An answer about some days of the rules' time zone; `to` is the day after the last one, null is open."""

    from_: date | None = Field(serialization_alias="from")
    to: date | None


class Steps(Answer):
    """A figure for each stage that comes after the first visit; null where there is nobody to tell it of."""

    lead: float | None
    marketing_qualified: float | None
    sales_qualified: float | None
    opportunity: float | None
    customer: float | None


class FunnelFigures(Answer):
    """How many visitors came, and how far they have come by now."""

    visitors: int
    """Different visitor ids, a browser's cookie each, whose first visit ever fell in the period."""
    known_visitors: int
    """Those of them whose first visit belongs to a lead."""
    leads: int
    """Different leads that these first visits belong to: somebody with two browsers is one lead."""
    marketing_qualified: int
    """Of the leads those that came to this stage or to a later one, whether they passed over it or not, and whether it
    still holds or not; so also the three figures below."""
    sales_qualified: int
    opportunities: int
    customers: int
    rates: Steps
    """To `lead`: known visitors of all visitors. To every other stage: leads, of those of the stage before it."""
    median_days: Steps
    """From a lead's first of these visits to the stage, over the leads that have a day of that stage; one that came to
    it before the visit, because a CRM knew them already, took 0 days."""


class FunnelRow(FunnelFigures, Keyed):
    """The visitors whose first visit had this key. A lead who came by two of them is in both rows."""


class FunnelCohort(FunnelFigures):
    """The visitors whose first visit fell in this day, week or month."""

    cohort: date
    """Its first day; weeks begin on Mondays."""


class Funnel(OfPeriod):
    """From visitors to customers."""

    by: str
    cohort: str
    rows: list[FunnelRow]
    """By visitors, the most first, then by key."""
    total: FunnelFigures
    """All rows together; a lead in two of them counts once."""
    cohorts: list[FunnelCohort]
    """In the order of time; those without visitors are left out."""


class PathFigures(Answer):
    """Journeys, and what they won."""

    deals: int
    amount: str
    nulls: int
    """Null journeys: a lead, or a visitor whom no lead owns, with touches in the period and no won deal ever."""
    touches: float | None
    """Average of the deals' journeys, repeats included; null when no touch of any is known."""
    days: float | None
    """Average from the first touch to the close."""


class PathRow(PathFigures):
    """The journeys that took one path."""

    path: str
    """The keys of the touches in order, joined by ` > `; `Unattributed` for deals of which no touch is known."""
    keys: list[str]
    """The same as a list."""


class Length(Answer):
    """Won journeys of so many touches."""

    touches: str
    """A number, or a range such as `6-10` or `51+`."""
    deals: int
    amount: str


class Paths(OfPeriod):
    """The paths that won deals took. Deals are those that can be told in `currency`."""

    by: str
    collapse: bool
    currency: str | None
    rows: list[PathRow]
    """By deals, the most first, then by amount; only paths that won something."""
    total: PathFigures
    """All paths of the period, also those that are not shown."""
    lengths: list[Length]
    """Every bucket; deals of which no touch is known are in none."""
    missing_rates: list[MissingRate]


class Lasted(Answer):
    """Deals that took so many days."""

    days: str
    """Whole days, or a range of them such as `4-7` or `91+`; `0` is less than 24 hours."""
    deals: int


class PurchaseTimes(Answer):
    """How long it took from the first touch of the credited journey to the close. Percentiles are interpolated."""

    deals: int
    mean: float | None
    median: float | None
    p75: float | None
    p90: float | None
    distribution: list[Lasted]
    """Every bucket."""


class PurchaseTimesRow(PurchaseTimes, Keyed):
    """The deals whose first touch had this key."""


class TimeToPurchase(OfPeriod):
    """How long buying took, of the won deals closed in the period, in every currency."""

    by: str
    rows: list[PurchaseTimesRow]
    """By deals, the most first, then by key."""
    total: PurchaseTimes
    unattributed: int
    """Won deals of which no touch is known: in no other figure."""


class PageRow(Answer):
    """One page or download, and how the journeys that have it compare with those that do not.

    That more of them won is no proof that the page won them: who is about to buy looks at more pages.
    """

    page: str
    """The address without query and fragment; of a download its name where it has one."""
    kind: str
    """`page`, or `download`."""
    journeys_with: int
    won_with: int
    rate_with: float
    """Won journeys of those with it, like `rate_without` of those without; null when there are none."""
    rate_with_low: float
    """The ends of the 95 % interval of `rate_with`: the score interval of E. B. Wilson, "Probable inference, the law of
    succession, and statistical inference", J. Am. Stat. Assoc. 22 (1927)."""
    rate_with_high: float
    rate_without: float | None
    lift: float | None
    """How many times as likely winning was with it; null when none won without it, or all journeys have it."""
    few: bool
    """Fewer than 30 journeys have it, or have it not: take it as a hint."""
    amount: str
    """Of the won deals whose journeys have it, in `currency`."""


class Content(OfPeriod):
    """What was seen in the period's journeys: of the won deals closed in it, in every currency, and null journeys."""

    currency: str | None
    journeys: int
    """All of them. A won deal of which no touch is known has none."""
    won: int
    rows: list[PageRow]
    """By won journeys, the most first; only what stood in one that won."""
    missing_rates: list[MissingRate]


class Earned(Answer):
    """A channel's part of the money."""

    channel: str
    amount: str


class OwnerFigures(Answer):
    """Deals, and what became of them."""

    leads: int
    """Different leads of the contacts of all these deals."""
    open: int
    """Deals that are open now and began before the period's end."""
    won: int
    """Closed in the period, like `lost`; a lost deal without that date by the time of its last version."""
    lost: int
    win_rate: float | None
    """Won deals of won and lost ones; null without any."""
    amount: str
    """What the won ones that can be told in `currency` are worth."""
    median_days: float | None
    """From creation to close of the won ones; null where no CRM told when they were created."""
    sources: list[Earned]
    """What `model` credits of the amount to each channel, the largest part first; they add up to it."""


class OwnerRow(OwnerFigures):
    """One sales representative."""

    owner: str
    """As the CRM names them; `(not set)` for deals without one."""


class Owners(OfPeriod):
    """Sales by the representatives who own the deals."""

    model: str
    currency: str | None
    rows: list[OwnerRow]
    """By amount, the largest first, then by won deals, then by name."""
    total: OwnerFigures
    """All rows together; a lead of two owners counts once."""
    missing_rates: list[MissingRate]
