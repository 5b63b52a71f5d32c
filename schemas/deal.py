"""Deals: what a CRM says of one, and the state that its newest version gives."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from schemas.event import Event, EventType, Instant
from schemas.instant import end_of_day, is_date, parse_instant
from schemas.money import minor_units

Text = Annotated[str, Field(min_length=1, max_length=256)]


class Stage(StrEnum):
    """Where a deal stands. Only a won deal has credits."""

    open = "open"
    won = "won"
    lost = "lost"
    deleted = "deleted"


class ContactEvent(Event):
    """A CRM contact and its e-mail address, which are one person."""

    type: Literal[EventType.contact]
    provider: Text = "webhook"


class DealEvent(Event):
    """One version of a deal, whole. Its contacts stand in `person.contacts`."""

    type: Literal[EventType.deal]
    provider: Text = "webhook"
    deal_id: Text
    stage: Stage
    amount: str | None = None
    """A decimal number in `currency`."""
    currency: str | None = None
    created_at: str | None = None
    """RFC 3339, or a date; a date is the end of that day in the settings' time zone."""
    closed_at: str | None = None
    owner: str | None = None
    """The sales representative."""
    updated_at: Instant

    @model_validator(mode="after")
    def _money_and_dates_can_be_read(self) -> Self:
        if self.amount is not None:
            if self.currency is None:
                raise ValueError("currency: is missing")
            minor_units(self.amount, self.currency)
        elif self.stage is Stage.won:
            raise ValueError("amount: is missing in a won deal")
        for text in (self.created_at, self.closed_at):
            if text is not None:
                resolve_date(text, ZoneInfo("UTC"))
        return self


@dataclass(frozen=True, slots=True)
class DealState:
    """A deal as far as the money depends on it; dates are resolved."""

    provider: str
    deal_id: str
    stage: Stage
    amount: int
    """In minor units of `currency`; 0 where the CRM has none."""
    currency: str | None
    created_at: datetime | None
    closed_at: datetime | None
    owner: str | None

    @property
    def key(self) -> tuple[str, str]:
        return (self.provider, self.deal_id)


@dataclass(frozen=True, slots=True)
class Deal(DealState):
    """A deal as one version has it, with the people on it."""

    contacts: tuple[str, ...]
    """Identifiers of all contacts, sorted."""
    updated_at: datetime
    event_id: str


def deal_of(version: DealEvent, zone: ZoneInfo) -> Deal:
    """The state that one version gives. A won deal closes when its version says so, at the latest."""
    closed_at = resolve_date(version.closed_at, zone) if version.closed_at else None
    if closed_at is None and version.stage is Stage.won:
        closed_at = version.updated_at
    created_at = resolve_date(version.created_at, zone) if version.created_at else closed_at
    contacts = {name for contact in version.person.contacts for name in contact.identifiers(version.provider)}
    return Deal(
        provider=version.provider,
        deal_id=version.deal_id,
        stage=version.stage,
        amount=minor_units(version.amount, version.currency) if version.amount and version.currency else 0,
        currency=version.currency,
        created_at=created_at,
        closed_at=closed_at,
        owner=version.owner,
        contacts=tuple(sorted(contacts)),
        updated_at=version.updated_at,
        event_id=version.event_id,
    )


def resolve_date(text: str, zone: ZoneInfo) -> datetime:
    """An instant, or the end of a day in `zone`. Raises ValueError for anything else."""
    return end_of_day(text, zone) if is_date(text) else parse_instant(text)
