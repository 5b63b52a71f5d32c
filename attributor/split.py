"""Money split by exact shares, to the last minor unit."""

from collections.abc import Sequence
from fractions import Fraction


def split(amount: int, shares: Sequence[Fraction]) -> tuple[int, ...]:
    """Whole minor units by the largest remainder method (Hamilton), ties to the earlier; they sum to `amount`.

    `shares` are at least one, not negative, and sum to 1.
    """
    exact = [amount * share for share in shares]
    whole = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (whole[place] - exact[place], place))
    for place in by_remainder[: amount - sum(whole)]:
        whole[place] += 1
    return tuple(whole)
