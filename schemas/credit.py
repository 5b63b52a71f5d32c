"""Credit: one touch's part of a won deal under one model."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from schemas.visit import Source

MODELS = ("first_touch", "last_touch", "linear", "position_based")
"""The names of the models that the ledger keeps for every won deal."""

UNATTRIBUTED = Source("Unattributed", "(not set)", "(not set)")
"""Who is credited when no touch is known, so that the sum still holds."""


class Cause(StrEnum):
    """Why the ledger got an entry, or closed one."""

    deal_changed = "deal changed"
    touch_arrived = "touch arrived"
    leads_changed = "leads merged or split"
    rules_changed = "rules changed"
    erased = "erased"
    replayed = "replayed"


@dataclass(frozen=True, slots=True)
class Credits:
    """The parts of one deal under one model, in the journey's order."""

    model: str
    shares: tuple[Fraction, ...]
    """Exact, summing to 1."""
    amounts: tuple[int, ...]
    """Minor units, summing to the deal's amount."""
