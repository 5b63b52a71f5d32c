"""Money split to the last cent."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import LARGEST
from services.attribution.split import split

THIRDS, FIFTHS = [1, 1, 1], [2, 1, 2]


@pytest.mark.parametrize(
    ("amount", "proportions", "parts"),
    [
        pytest.param(0, THIRDS, (0, 0, 0), id="nothing"),
        pytest.param(3, THIRDS, (1, 1, 1), id="it comes out even"),
        pytest.param(100, THIRDS, (34, 33, 33), id="one cent over: ties go to the earlier"),
        pytest.param(101, THIRDS, (34, 34, 33), id="two cents over"),
        pytest.param(1, THIRDS, (1, 0, 0), id="one cent for three"),
        pytest.param(101, [1, 1], (51, 50), id="two halves"),
        pytest.param(99, FIFTHS, (40, 20, 39), id="39.6, 19.8, 39.6: the larger remainder first, then the earlier"),
        pytest.param(1, FIFTHS, (1, 0, 0), id="0.4, 0.2, 0.4"),
        pytest.param(2, FIFTHS, (1, 0, 1), id="0.8, 0.4, 0.8"),
        pytest.param(3, FIFTHS, (1, 1, 1), id="1.2, 0.6, 1.2"),
        pytest.param(10, [1, 2, 7], (1, 2, 7), id="exact where floats are not"),
        pytest.param(7, [0, 1, 0], (0, 7, 0), id="all to one"),
        pytest.param(LARGEST - 1, [1, 1], (LARGEST // 2, LARGEST // 2 - 1), id="the largest amount"),
    ],
)
def test_the_largest_remainders_get_what_is_over(amount, proportions, parts):
    assert split(amount, proportions) == parts


@given(st.integers(0, LARGEST - 1), st.lists(st.integers(0, 10**6), min_size=1, max_size=50).filter(any))
def test_parts_sum_to_the_amount_and_none_is_a_cent_off(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    assert all(abs(part - amount * share) < 1 for part, share in zip(parts, shares, strict=True))


@given(st.integers(0, 10**9), st.lists(st.integers(0, 100), min_size=1, max_size=12).filter(any))
def test_of_equal_shares_the_earlier_gets_no_less(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    for weight in set(weights):
        equals = [part for part, its in zip(parts, weights, strict=True) if its == weight]
        assert equals == sorted(equals, reverse=True)
