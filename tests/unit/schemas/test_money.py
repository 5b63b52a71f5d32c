"""Money: exact, in the minor units of its currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import EXPONENTS, LARGEST, decimal_text, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0", "EUR", 0),
        ("0.00", "EUR", 0),
        ("-0", "EUR", 0),
        ("1", "EUR", 100),
        ("1.5", "EUR", 150),
        ("1234.56", "USD", 123456),
        ("1.500000", "EUR", 150),
        ("0012.30", "EUR", 1230),
        ("1500", "JPY", 1500),
        ("1500.0", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("999999999999999.99", "EUR", 99_999_999_999_999_999),
    ],
)
def test_an_amount_is_counted_in_minor_units(amount: str, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "complaint"),
    [
        ("1", "eur", "no currency"),
        ("1", "XXX", "no currency"),
        ("1", "", "no currency"),
        ("1.234", "EUR", "decimals"),
        ("1.5", "JPY", "decimals"),
        ("1.00001", "CLF", "decimals"),
        ("-1", "EUR", "negative"),
        ("-0.01", "EUR", "negative"),
        ("1000000000000000", "EUR", "too large"),
        *(
            (text, "EUR", "no decimal")
            for text in ("", "1,50", "1e3", "NaN", "Infinity", " 1", "1 ", "+1", "\u0661", "1_0", "1.", ".5")
        ),
        ("9" * 41, "EUR", "no decimal"),
    ],
)
def test_what_is_no_money_is_refused(amount: str, currency: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        minor_units(amount, currency)


@given(st.integers(0, LARGEST - 1), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_is_written_with_all_its_digits_and_read_as_itself(minor: int, currency: str) -> None:
    text = decimal_text(minor, currency)
    assert minor_units(text, currency) == minor
    assert len(text.partition(".")[2]) == EXPONENTS[currency]
