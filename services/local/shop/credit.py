"""Credit by the textbook, written apart from the product's own so that one checks the other.

A share is an exact fraction; cents go by largest remainder, and of equal remainders the earlier touch gets the cent.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

Shares = list[Fraction]


def _first_touch(count: int) -> Shares:
    return [Fraction(index == 0) for index in range(count)]


def _last_touch(count: int) -> Shares:
    return [Fraction(index == count - 1) for index in range(count)]


def _linear(count: int) -> Shares:
    return [Fraction(1, count)] * count


def _position_based(count: int) -> Shares:
    """40 % each for the first and the last, 20 % for those between; two halve it."""
    if count < 3:
        return _linear(count)
    ends, between = Fraction(2, 5), Fraction(1, 5) / (count - 2)
    return [ends, *[between] * (count - 2), ends]


MODELS: dict[str, Callable[[int], Shares]] = {
    "first_touch": _first_touch,
    "last_touch": _last_touch,
    "linear": _linear,
    "position_based": _position_based,
}
"""Models by name: the shares of a journey of so many touches, one or more, in order."""


def split(amount: int, shares: Sequence[Fraction]) -> list[int]:
    """Whole cents for every share, adding up to `amount`; the shares sum to 1."""
    exact = [amount * share for share in shares]
    cents = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: (cents[index] - exact[index], index))
    for index in by_remainder[: amount - sum(cents)]:
        cents[index] += 1
    return cents
