"""The attribution models, with shares worked out by hand."""

from fractions import Fraction as F

import pytest

from attributor.weights import MODELS


@pytest.mark.parametrize(
    ("model", "touches", "shares"),
    [
        ("first_touch", 1, [F(1)]),
        ("first_touch", 2, [F(1), F(0)]),
        ("first_touch", 4, [F(1), F(0), F(0), F(0)]),
        ("last_touch", 1, [F(1)]),
        ("last_touch", 2, [F(0), F(1)]),
        ("last_touch", 4, [F(0), F(0), F(0), F(1)]),
        ("linear", 1, [F(1)]),
        ("linear", 2, [F(1, 2), F(1, 2)]),
        ("linear", 3, [F(1, 3), F(1, 3), F(1, 3)]),
        ("position_based", 1, [F(1)]),
        ("position_based", 2, [F(1, 2), F(1, 2)]),
        ("position_based", 3, [F(2, 5), F(1, 5), F(2, 5)]),
        ("position_based", 4, [F(2, 5), F(1, 10), F(1, 10), F(2, 5)]),
        ("position_based", 5, [F(2, 5), F(1, 15), F(1, 15), F(1, 15), F(2, 5)]),
        ("position_based", 9, [F(2, 5), *[F(1, 35)] * 7, F(2, 5)]),
    ],
)
def test_how_much_each_touch_earned(model: str, touches: int, shares: list[F]) -> None:
    assert list(MODELS[model](touches)) == shares


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("touches", [1, 2, 3, 7, 100, 1000])
def test_shares_are_exact_and_sum_to_one(model: str, touches: int) -> None:
    shares = MODELS[model](touches)
    assert len(shares) == touches
    assert sum(shares) == 1
    assert all(isinstance(share, F) and 0 <= share <= 1 for share in shares)
