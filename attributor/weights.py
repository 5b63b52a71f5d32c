"""The attribution models: how much of a deal each touch of its journey earned.

Pure. Shares are exact fractions in the journey's order and sum to 1; one touch takes all. The models and their names
are those that HubSpot, Google and the marketing trade use; position based is 40/20/40.
"""

from collections.abc import Callable
from fractions import Fraction

Shares = tuple[Fraction, ...]

NOTHING, ALL = Fraction(0), Fraction(1)
END, MIDDLE = Fraction(2, 5), Fraction(1, 5)


def first_touch(touches: int) -> Shares:
    """All to the touch that made the company known."""
    return (ALL, *(NOTHING,) * (touches - 1))


def last_touch(touches: int) -> Shares:
    """All to the touch before the deal."""
    return (*(NOTHING,) * (touches - 1), ALL)


def linear(touches: int) -> Shares:
    """The same to each touch."""
    return (Fraction(1, touches),) * touches


def position_based(touches: int) -> Shares:
    """40 % to the first, 40 % to the last, the rest evenly to those between; of two each a half."""
    if touches <= 2:
        return linear(touches)
    return (END, *(MIDDLE / (touches - 2),) * (touches - 2), END)


WEIGHTS: dict[str, Callable[[int], Shares]] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "linear": linear,
    "position_based": position_based,
}
"""By the model's name in `schemas.credit.MODELS`; `touches` is the length of the journey, at least 1."""
