"""The journey of a won deal, and its credits: what the ledger should hold.

Pure. Candidates are the touches of the contacts' leads within the lookback before the deal began, up to its close.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.credit import Cause, Credits
from schemas.deal import DealState, Stage
from schemas.visit import Touch
from services.attribution.split import split
from services.attribution.weights import Course, Model
from services.attribution.window import milestone


class Journey(NamedTuple):
    """What identity knows of the way to a deal."""

    touches: Sequence[Touch] = ()
    """The candidates, in the journey's order."""
    lead_created_at: datetime | None = None
    """When any of the leads first filled out a form or was identified."""


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
    lead_touch: int | None
    """The place in `touches` of that of the lead's creation, 0 without any; None if an older program made this."""
    credits: tuple[Credits, ...]

    @property
    def deal(self) -> tuple[object, ...]:
        """The part that the CRM decides."""
        return (self.amount, self.currency, self.created_at, self.closed_at, self.owner)


def entry_of(deal: DealState | None, journey: Journey, models: Mapping[str, Model]) -> Entry | None:
    """What the ledger should hold of this deal; nothing unless it is won."""
    if deal is None or deal.stage is not Stage.won:
        return None
    assert deal.currency is not None
    assert deal.closed_at is not None
    created_at = deal.created_at or deal.closed_at
    times = [touch.occurred_at for touch in journey.touches]
    lead = milestone(times, journey.lead_created_at)
    course = Course([touch.source.channel for touch in journey.touches], times, lead, milestone(times, created_at))
    return Entry(
        amount=deal.amount,
        currency=deal.currency,
        created_at=created_at,
        closed_at=deal.closed_at,
        owner=deal.owner,
        touches=tuple(journey.touches),
        lead_touch=lead,
        credits=tuple(credit(name, model, deal.amount, course) for name, model in models.items()),
    )


def credit(name: str, model: Model, amount: int, course: Course) -> Credits:
    """The credits of one model; of a journey without touches the whole amount once."""
    parts = model(course) if course.channels else (1,)
    return Credits(name, parts, split(amount, parts))


def cause_of(held: Entry | None, due: Entry | None, suspected: Cause) -> Cause:
    """Why the ledger changes: the deal itself if it did, else what brought it here."""
    if held is None or due is None or held.deal != due.deal:
        return Cause.deal_changed
    return suspected


def same(held: Entry | None, due: Entry | None) -> bool:
    """Whether the ledger holds what it should. Parts follow from model and journey, and are not compared."""
    if held is None or due is None:
        return held is due
    amounts = [{part.model: part.amounts for part in entry.credits} for entry in (held, due)]
    journeys = [(entry.touches, entry.lead_touch) for entry in (held, due)]
    return held.deal == due.deal and journeys[0] == journeys[1] and amounts[0] == amounts[1]
