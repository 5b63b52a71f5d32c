"""Events that say something of money and of nobody: what advertising cost, and what a currency is worth in another."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.event import Event, EventType
from schemas.instant import parse_date
from schemas.money import minor_units, parse_rate


def _date(text: str) -> str:
    parse_date(text)
    return text


Day = Annotated[str, AfterValidator(_date)]
"""A date such as 2026-03-01, in nobody's time zone: the day as the books have it."""


class SpendEvent(Event):
    """What one source cost on one day. Of the events of one day, source, medium and campaign the newest counts.

    An amount of 0 takes back what was said before.
    """

    type: Literal[EventType.spend]
    date: Day
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    amount: str
    """A decimal number in `currency`."""
    currency: str

    @model_validator(mode="after")
    def _money_can_be_read(self) -> Self:
        minor_units(self.amount, self.currency)
        return self


class RateEvent(Event):
    """What one unit of `from` is worth in `to`, from this day on until the next rate of the pair."""

    type: Literal[EventType.rate]
    date: Day
    from_: Annotated[str, Field(alias="from")]
    to: str
    rate: str
    """A decimal number above 0."""

    @model_validator(mode="after")
    def _rate_can_be_read(self) -> Self:
        parse_rate(self.rate, self.from_, self.to)
        return self
