"""What becomes of a deal in the CRM: its versions one after the other, and when the CRM tells of each."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum, auto
from typing import NamedTuple

from schemas.instant import format_instant
from services.local.shop.browsing import later
from services.local.shop.history import CURRENCY, PROVIDER, START, Payload

LAST_DAY = 88
"""No deal closes later, so that refunds and late entries still fall into the story."""

_DAY = 86_400


class Course(StrEnum):
    """The ways that deals go."""

    won = auto()
    won_at_another_price = auto()
    won_without_closing_date = auto()
    partly_refunded = auto()
    won_after_lost = auto()
    reopened_after_won = auto()
    lost = auto()
    still_open = auto()
    deleted = auto()


class _Change(NamedTuple):
    """A version as its course has it: the price in percent of the first offer, and whether a closing date is given."""

    stage: str
    moment: str
    price: int = 100
    dated: bool = True


_OFFER = _Change("open", "created", dated=False)

_COURSES: dict[Course, tuple[int, tuple[_Change, ...]]] = {
    Course.won: (48, (_OFFER, _Change("won", "closed"))),
    Course.won_at_another_price: (
        14,
        (_OFFER, _Change("open", "between", 90, dated=False), _Change("won", "closed", 83)),
    ),
    Course.won_without_closing_date: (5, (_OFFER, _Change("won", "closed", dated=False))),
    Course.partly_refunded: (6, (_OFFER, _Change("won", "closed"), _Change("won", "after", 64))),
    Course.won_after_lost: (5, (_OFFER, _Change("lost", "between"), _Change("won", "closed", 95))),
    Course.reopened_after_won: (2, (_OFFER, _Change("won", "closed"), _Change("open", "after", dated=False))),
    Course.lost: (11, (_OFFER, _Change("lost", "closed"))),
    Course.still_open: (6, (_OFFER,)),
    Course.deleted: (3, (_OFFER, _Change("won", "closed"), _Change("deleted", "after"))),
}
"""Each course with how many of 100 deals take it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a deal as the CRM has it."""

    stage: str
    amount: int
    created_at: datetime
    closed_at: datetime | None
    updated_at: datetime
    noticed_at: datetime
    """When the CRM's notice goes out: at once, or weeks later, and then after that of a newer version."""

    @property
    def closes_at(self) -> datetime:
        """A deal without a closing date closes when its version says so."""
        return self.closed_at or self.updated_at

    def fields(self) -> Payload:
        """The version's part of a deal event."""
        payload: Payload = {
            "type": "deal",
            "provider": PROVIDER,
            "stage": self.stage,
            "amount": f"{Decimal(self.amount).scaleb(-2):.2f}",
            "currency": CURRENCY,
            "created_at": format_instant(self.created_at),
            "updated_at": format_instant(self.updated_at),
        }
        return payload | ({"closed_at": format_instant(self.closed_at)} if self.closed_at else {})


def take_course(rng: random.Random, after: int, course: Course | None = None) -> list[Version]:
    """All versions of a deal that is opened within days after day `after`, oldest first; at random without a course."""
    if course is None:
        course = rng.choices(list(_COURSES), [weight for weight, _ in _COURSES.values()])[0]
    created = later(rng, START + timedelta(days=after + 1), 0, 4 * _DAY)
    closes = min(later(rng, created, 2 * _DAY, 30 * _DAY), later(rng, START + timedelta(days=LAST_DAY), 0, 3_600))
    entered = {
        "created": created,
        "between": created + (closes - created) / 2,
        "closed": later(rng, closes, 0, 2 * _DAY),
        "after": later(rng, closes, 4 * _DAY, 20 * _DAY),
    }
    price = _price(rng)
    return [
        Version(
            stage=change.stage,
            amount=price * change.price // 100,
            created_at=created,
            closed_at=min(closes, entered[change.moment]) if change.dated else None,
            updated_at=entered[change.moment],
            noticed_at=_noticed(rng, entered[change.moment]),
        )
        for change in _COURSES[course][1]
    ]


def _price(rng: random.Random) -> int:
    """Cents: mostly a year's licence, some large contracts, and a few of a cent or two that cannot be split evenly."""
    kind = rng.random()
    if kind < 0.02:
        return rng.randint(1, 5)
    return rng.randint(49_000, 1_200_000) if kind < 0.85 else rng.randint(1_200_000, 6_000_000)


def _noticed(rng: random.Random, entered: datetime) -> datetime:
    """Most notices take seconds, some a night, some weeks."""
    least, most = rng.choices(((1, 30), (3_600, _DAY), (7 * _DAY, 40 * _DAY)), (70, 20, 10))[0]
    return later(rng, entered, least, most)
