"""The journey of a won deal, and its credits: what the ledger should hold.

Pure. Candidates are the touches of the contacts' leads within the lookback before the deal began, up to its close.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from attributor.split import split
from attributor.weights import WEIGHTS
from schemas.credit import MODELS, Cause, Credits
from schemas.deal import DealState, Stage
from schemas.visit import Touch

BEGINNING = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger holds of one deal at one time: the deal, its journey, and the credits by model.

    A journey without touches has its one credit under `Unattributed`.
    """

    amount: int
    currency: str
    created_at: datetime
    closed_at: datetime
    owner: str | None
    touches: tuple[Touch, ...]
    credits: tuple[Credits, ...]

    @property
    def deal(self) -> tuple[object, ...]:
        """The part that the CRM decides."""
        return (self.amount, self.currency, self.created_at, self.closed_at, self.owner)


def window(created_at: datetime, closed_at: datetime, lookback: timedelta) -> tuple[datetime, datetime]:
    """The first and the last instant at which a touch can be credited, both included."""
    begun = min(created_at, closed_at)
    return (begun - lookback if begun - BEGINNING > lookback else BEGINNING, closed_at)


def entry_of(deal: DealState | None, touches: Sequence[Touch]) -> Entry | None:
    """What the ledger should hold of this deal; nothing unless it is won.

    `touches` are its candidates in the journey's order.
    """
    if deal is None or deal.stage is not Stage.won:
        return None
    assert deal.currency is not None
    assert deal.closed_at is not None
    return Entry(
        amount=deal.amount,
        currency=deal.currency,
        created_at=deal.created_at or deal.closed_at,
        closed_at=deal.closed_at,
        owner=deal.owner,
        touches=tuple(touches),
        credits=tuple(credit(model, deal.amount, len(touches)) for model in MODELS),
    )


def credit(model: str, amount: int, touches: int) -> Credits:
    """The credits of one model for a journey of this many touches; without any, the whole amount once."""
    shares = WEIGHTS[model](touches) if touches else (Fraction(1),)
    return Credits(model, shares, split(amount, shares))


def cause_of(held: Entry | None, due: Entry | None, suspected: Cause) -> Cause:
    """Why the ledger changes: the deal itself if it did, else what brought it here."""
    if held is None or due is None or held.deal != due.deal:
        return Cause.deal_changed
    return suspected


def same(held: Entry | None, due: Entry | None) -> bool:
    """Whether the ledger holds what it should. Shares follow from model and journey, and are not compared."""
    if held is None or due is None:
        return held is due
    amounts = [{part.model: part.amounts for part in entry.credits} for entry in (held, due)]
    return held.deal == due.deal and held.touches == due.touches and amounts[0] == amounts[1]
