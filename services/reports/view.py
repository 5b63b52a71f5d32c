"""What the dashboard shows: pure. Answers in, one value for the template out; every text in it is plain text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from schemas.credit import MODELS
from schemas.money import decimal_text
from services.reports.answers import Revenue, Status
from services.reports.chart import Chart, chart_of
from services.reports.questions import DIMENSIONS, Question, last_days
from services.reports.rows import Row, deal_address
from services.reports.wording import (
    column_texts,
    count_text,
    counted,
    grouped,
    local_day,
    part_text,
    period_text,
    title_of,
)

BARS = 14
ROWS = 100
CHIPS = 8

PERIODS = (("30 days", 30), ("90 days", 90), ("12 months", 365))


class Choice(NamedTuple):
    """One position of a switch."""

    label: str
    href: str
    current: bool


class Line(NamedTuple):
    """One row of the table."""

    key: str
    amount: str
    part: str
    deals: str
    leads: str
    visits: str


class Chip(NamedTuple):
    """One or several touches in a row by one channel, and what they earned together."""

    channel: str
    times: int
    amount: str
    earned: bool
    """Not when it is nothing, or nobody's because no touch is known."""
    title: str


class Won(NamedTuple):
    """A won deal and its journey."""

    name: str
    closed: str
    owner: str | None
    amount: str
    currency: str
    first: list[Chip]
    left_out: int
    """Chips left out of the middle of a long journey."""
    last: list[Chip]


@dataclass(frozen=True, slots=True)
class Switches:
    """The links by which the page is turned to another question."""

    models: list[Choice]
    periods: list[Choice]
    dimensions: list[Choice]


@dataclass(frozen=True, slots=True)
class View:
    """The report part of the page."""

    noun: str
    """What the rows are, such as `landing page`."""
    period: str
    won: str
    currency: str
    deals: str
    leads: str
    visits: str
    chart: Chart
    lines: list[Line]
    more_lines: int
    missing: list[Choice]
    """Money that is in no figure, for want of a rate; each leads to the report in its own currency."""


def view_of(question: Question, revenue: Revenue) -> View:
    """The figures, the chart and the table that answer `question`."""
    total = revenue.totals
    paid = [row for row in revenue.rows if float(row.amount)]
    shown = revenue.rows[:ROWS]
    deals = column_texts([row.deals for row in shown])
    return View(
        noun=title_of(question.by).lower(),
        period=period_text(question.since, question.until),
        won=grouped(total.amount),
        currency=revenue.currency or "",
        deals=count_text(total.deals),
        leads=count_text(total.leads),
        visits=count_text(total.visits),
        chart=chart_of([(row.key, grouped(row.amount), float(row.amount)) for row in paid[:BARS]]),
        lines=[
            Line(
                key=row.key,
                amount=grouped(row.amount),
                part=part_text(row.amount, total.amount),
                deals=shares,
                leads=count_text(row.leads),
                visits=count_text(row.visits),
            )
            for row, shares in zip(shown, deals, strict=True)
        ],
        more_lines=len(revenue.rows) - len(shown),
        missing=[
            Choice(
                f"{grouped(each.amount)} {each.from_} of {counted(each.deals, 'deal')}",
                href(question, currency=each.from_),
                current=False,
            )
            for each in revenue.missing_rates
            if each.deals
        ],
    )


def switches_of(question: Question, today: date, models: Sequence[str] = MODELS) -> Switches:
    """All models, periods (with `today` as the last day) and dimensions, each keeping the rest of the question."""
    spans: list[tuple[str, date | None, date | None]] = [(label, *last_days(days, today)) for label, days in PERIODS]
    return Switches(
        models=[Choice(title_of(model), href(question, model=model), model == question.model) for model in models],
        periods=[
            Choice(label, href(question, since=since, until=until), (since, until) == (question.since, question.until))
            for label, since, until in [*spans, ("All time", None, None)]
        ],
        dimensions=[Choice(title_of(by), href(question, by=by), by == question.by) for by in DIMENSIONS],
    )


def href(question: Question, **changes: Any) -> str:
    """The dashboard's address for a question with `changes`; what is as by default is left out."""
    plain, wanted = asdict(Question()), asdict(question) | changes
    names = {"since": "from", "until": "to"}
    words = {names.get(name, name): value for name, value in wanted.items() if value != plain[name]}
    return f"/?{urlencode(words)}" if words else "/"


def won_of(row: Row, zone: ZoneInfo) -> Won:
    """A won deal; of a long journey the ends are shown."""
    chips = _chips(row, zone)
    half = CHIPS // 2
    is_long = len(chips) > CHIPS
    return Won(
        name=deal_address(row),
        closed=local_day(row["closed_at"], zone),
        owner=row["owner"],
        amount=grouped(decimal_text(row["amount"], row["currency"])),
        currency=row["currency"],
        first=chips[:half] if is_long else chips,
        left_out=len(chips) - 2 * half if is_long else 0,
        last=chips[-half:] if is_long else [],
    )


def _chips(row: Row, zone: ZoneInfo) -> list[Chip]:
    columns = ("channel", "amounts", "touch_id", "occurred_at", "source", "medium", "campaign")
    touches = list(zip(*(row[column] for column in columns), strict=True))
    chips = []
    for channel, run in groupby(touches, key=lambda touch: touch[0]):
        same = list(run)
        earned = sum(amount for _, amount, *_ in same)
        chips.append(
            Chip(
                channel=channel,
                times=len(same),
                amount=grouped(decimal_text(earned, row["currency"])),
                earned=earned > 0 and same[0][2] is not None,
                title="\n".join(_touch_text(zone, *touch[3:]) for touch in same),
            )
        )
    return chips


def _touch_text(zone: ZoneInfo, occurred_at: datetime | None, source: str, medium: str, campaign: str | None) -> str:
    day = local_day(occurred_at, zone) if occurred_at else None
    return " · ".join(part for part in (day, f"{source} / {medium}", campaign) if part)


def freshness_of(status: Status | None) -> tuple[bool, str]:
    """Whether the page shows all that was logged, and that in words; None stands for a log that does not answer."""
    if status is None:
        return False, "The log of events does not answer: what was read before is here, what comes is read later"
    if status.settled:
        return True, f"Up to date with {counted(status.events, 'event')}"
    unread, notes = max(status.lag.values()), sum(status.notes.values())
    return False, f"Catching up: {counted(unread, 'event')} to read, {counted(notes, 'note')} to work off"
