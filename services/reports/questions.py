"""What can be asked: the models, the dimensions and the period, read from the words of an address.

A question that cannot be answered is a Refusal: its code is stable, its message says what to ask instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.credit import MODELS, PERIOD_MODELS
from schemas.identifier import email_identifier
from schemas.instant import parse_instant
from schemas.money import EXPONENTS

DEFAULT_MODEL = "linear"

DIMENSIONS = (
    "channel", "source", "medium", "campaign", "content", "term", "landing_page", "referrer", "owner",
)  # fmt: skip
"""What `revenue` can be broken down by. All describe the touch, only `owner` the deal."""

PERIOD_DIMENSION = "channel"
"""What the models of a period credit."""

STAGES = ("open", "won", "lost")
"""Stages of the deals that `deals` lists; a deleted one is found by its id alone."""

LARGEST_LIST = 1000


class Refusal(Exception):
    """A request that gets no answer. `code` is stable and for programs, the message tells a person what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Period(NamedTuple):
    """From `start` to before `end`; None is open."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, checked. Dates are whole days of the rules' time zone, `until` is exclusive."""

    model: str = DEFAULT_MODEL
    by: str = "channel"
    since: date | None = None
    until: date | None = None
    currency: str | None = None
    as_of: datetime | None = None


def question_of(  # noqa: PLR0913 - one argument for each word of the address
    *,
    model: str = DEFAULT_MODEL,
    by: str = "channel",
    since: str | None = None,
    until: str | None = None,
    currency: str | None = None,
    as_of: str | None = None,
    models: Sequence[str] = MODELS,
) -> Question:
    """The question that the words of an address ask; `models` are those that can be asked for. Raises Refusal."""
    first, last = _date(since, "from"), _date(until, "to")
    if first and last and last < first:
        raise Refusal(400, "invalid_period", f"to={until} is before from={since}; `to` is the day after the last one")
    if model in PERIOD_MODELS and model in models and by != PERIOD_DIMENSION:
        raise Refusal(400, "model_by_channel_only", f"model={model} answers by={PERIOD_DIMENSION} alone, not by={by}")
    return Question(
        model=one_of(model, models, "model", "model"),
        by=one_of(by, DIMENSIONS, "dimension", "by"),
        since=first,
        until=last,
        currency=_currency(currency),
        as_of=instant_of(as_of, "as_of"),
    )


def one_of(value: str, allowed: Sequence[str], noun: str, parameter: str) -> str:
    """`value` when it is allowed. Raises Refusal `unknown_<noun>` that lists what is."""
    if value in allowed:
        return value
    raise Refusal(400, f"unknown_{noun}", f"{parameter}={value!r} is unknown; it is one of {', '.join(allowed)}")


def period_of(since: date | None, until: date | None, zone: ZoneInfo) -> Period:
    """The instants at which the days begin in `zone`."""
    return Period(_midnight(since, zone), _midnight(until, zone))


def email_of(text: str | None) -> str:
    """The identifier of an address. Raises Refusal when there is none, or it is no address."""
    if not text:
        raise Refusal(400, "missing_email", "ask for one person: leads?email=ann@example.org")
    identifier = email_identifier(text)
    if identifier is None:
        raise Refusal(400, "invalid_email", f"email={text!r} is no e-mail address")
    return identifier


def deal_addresses(address: str) -> list[tuple[str, str]]:
    """Every (provider, deal id) that `provider:deal_id` can mean; ids, and providers, may hold colons themselves."""
    colons = [place for place, letter in enumerate(address) if letter == ":"]
    return [(address[:place], address[place + 1 :]) for place in colons]


def instant_of(text: str | None, parameter: str) -> datetime | None:
    """The instant of an RFC 3339 date-time. Raises Refusal `invalid_<parameter>`."""
    if not text:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        hint = "; in an address + is written %2B" if " " in text else ""
        raise Refusal(400, f"invalid_{parameter}", f"{parameter}={text!r}: {error}{hint}") from error


def last_days(days: int, today: date) -> tuple[date, date]:
    """The period of `days` days that ends with `today`, its end exclusive."""
    tomorrow = today + timedelta(days=1)
    return tomorrow - timedelta(days=days), tomorrow


def _date(text: str | None, parameter: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of the rules' zone, see period_of
    except ValueError as error:
        raise Refusal(400, "invalid_date", f"{parameter}={text!r} is no date such as 2026-03-01") from error


def _currency(code: str | None) -> str | None:
    """An empty one lets the period decide."""
    if not code:
        return None
    if code.upper() not in EXPONENTS:
        raise Refusal(400, "unknown_currency", f"currency={code!r} is no code of ISO 4217 such as EUR")
    return code.upper()


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError as error:
        raise Refusal(400, "invalid_date", f"{day} is outside of the years 1 to 9999 in {zone.key}") from error
