"""The attribution models, with shares worked out by hand."""

from fractions import Fraction

import pytest

from attributor.weights import WEIGHTS
from schemas.credit import MODELS


@pytest.mark.parametrize(
    ("model", "touches", "shares"),
    [
        ("first_touch", 1, [Fraction(1)]),
        ("first_touch", 2, [Fraction(1), Fraction(0)]),
        ("first_touch", 4, [Fraction(1), Fraction(0), Fraction(0), Fraction(0)]),
        ("last_touch", 1, [Fraction(1)]),
        ("last_touch", 2, [Fraction(0), Fraction(1)]),
        ("last_touch", 4, [Fraction(0), Fraction(0), Fraction(0), Fraction(1)]),
        ("linear", 1, [Fraction(1)]),
        ("linear", 2, [Fraction(1, 2), Fraction(1, 2)]),
        ("linear", 3, [Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)]),
        ("position_based", 1, [Fraction(1)]),
        ("position_based", 2, [Fraction(1, 2), Fraction(1, 2)]),
        ("position_based", 3, [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)]),
        ("position_based", 4, [Fraction(2, 5), Fraction(1, 10), Fraction(1, 10), Fraction(2, 5)]),
        ("position_based", 5, [Fraction(2, 5), Fraction(1, 15), Fraction(1, 15), Fraction(1, 15), Fraction(2, 5)]),
        ("position_based", 9, [Fraction(2, 5), *[Fraction(1, 35)] * 7, Fraction(2, 5)]),
    ],
)
def test_how_much_each_touch_earned(model: str, touches: int, shares: list[Fraction]) -> None:
    assert list(WEIGHTS[model](touches)) == shares


@pytest.mark.parametrize("model", WEIGHTS)
@pytest.mark.parametrize("touches", [1, 2, 3, 7, 100, 1000])
def test_shares_are_exact_and_sum_to_one(model: str, touches: int) -> None:
    shares = WEIGHTS[model](touches)
    assert len(shares) == touches
    assert sum(shares) == 1
    assert all(isinstance(share, Fraction) and 0 <= share <= 1 for share in shares)


def test_every_model_that_can_be_asked_for_has_its_weights() -> None:
    assert tuple(WEIGHTS) == MODELS
