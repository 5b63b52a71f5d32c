"""Credits as they are printed: decimals that sum to the total, and survive a reader's doubles."""

from decimal import Decimal
from fractions import Fraction

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.attribution.path_models import Credit, Credits
from services.local.attribute import told


def credits_with(values: list[Fraction]) -> Credits:
    return {f"channel {place:02}": Credit(Fraction(0), value) for place, value in enumerate(values)}


def printed(credits_: Credits, places: int) -> list[str]:
    """The values as they stand in the JSON, by channel."""
    rows = sorted(told(credits_, {}, places), key=lambda row: row["channel"])
    return [orjson.dumps(row["value"]).decode() for row in rows]


@pytest.mark.parametrize(
    ("values", "places", "expected"),
    [
        pytest.param([0, 0], 2, ["0", "0"], id="nothing"),
        pytest.param([Fraction(1, 3)] * 3, 0, ["0.3333333333334", "0.3333333333333", "0.3333333333333"], id="thirds: the first by name gets what is over"),
        pytest.param([Fraction(10010, 5), Fraction(10010 * 4, 5)], 2, ["20.02", "80.08"], id="cents stay cents"),
        pytest.param([Fraction(5, 2), Fraction(5, 2)], 2, ["0.025", "0.025"], id="half a cent each"),
        pytest.param([Fraction(10**17, 3), Fraction(2 * 10**17, 3)], 0, ["33333333333333333", "66666666666666667"], id="a total of more digits is split in its own last place"),
        pytest.param([Fraction(10**20 + 1)], 20, ["1.00000000000000000001"], id="a value of any precision"),
    ],
)  # fmt: skip
def test_how_numbers_are_printed(values: list[Fraction], places: int, expected: list[str]) -> None:
    assert printed(credits_with(values), places) == expected


@given(st.lists(st.fractions(min_value=0, max_value=10**6, max_denominator=60), min_size=1, max_size=20))
def test_printed_decimals_sum_to_the_total_and_are_the_same_as_doubles(parts: list[Fraction]) -> None:
    parts = [*parts, -sum(parts) % 1]
    numbers = printed(credits_with(parts), 0)
    assert sum(map(Decimal, numbers)) == sum(parts)
    assert [Decimal(repr(float(number))) for number in numbers] == [Decimal(number) for number in numbers]


def test_the_most_conversions_stand_first_then_the_most_value_then_the_name() -> None:
    found = {"b": (1, 2), "c": (1, 2), "d": (1, 3), "e": (2, 0), "f": (0, 0)}
    rows = told({name: Credit(*map(Fraction, credit)) for name, credit in found.items()}, {}, 0)
    assert [row["channel"] for row in rows] == ["e", "d", "b", "c", "f"]


def test_intervals_stand_behind_the_credit_in_the_same_units() -> None:
    credit = Credit(Fraction(1), Fraction(250))
    rows = told({"a": credit}, {"a": (Credit(Fraction(1, 3), Fraction(25)), credit)}, 2)
    assert orjson.loads(orjson.dumps(rows)) == [
        {
            "channel": "a",
            "conversions": 1,
            "value": 2.5,
            "low": {"conversions": 0.3333333333333, "value": 0.25},
            "high": {"conversions": 1, "value": 2.5},
        }
    ]
