"""Money split by exact shares, to the last minor unit."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm


def split(amount: int, shares: Sequence[Fraction]) -> tuple[int, ...]:
    """Whole minor units by the largest remainder method (Hamilton), ties to the earlier; they sum to `amount`.

    `shares` are at least one, not negative, and sum to 1.
    """
    # In whole numbers over one denominator: arithmetic of fractions costs four times as much.
    denominator = lcm(*(share.denominator for share in shares))
    parts = [divmod(amount * share.numerator * (denominator // share.denominator), denominator) for share in shares]
    whole = [minor for minor, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))
    for place in by_remainder[: amount - sum(whole)]:
        whole[place] += 1
    return tuple(whole)
