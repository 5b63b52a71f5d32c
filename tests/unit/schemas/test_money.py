"""Money: exact, in the minor units of its currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import EXPONENTS, LARGEST, decimal_text, minor_units, parse_rate


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


@pytest.mark.parametrize(
    ("rate", "held", "wanted", "factor"),
    [
        ("0.9223", "USD", "EUR", "0.9223"),
        ("150.25", "USD", "JPY", "1.5025"),
        ("0.0065", "JPY", "EUR", "0.65"),
        ("3.25", "KWD", "USD", "0.325"),
        ("0.3", "USD", "KWD", "3"),
        ("999999999999999.999999999999999", "JPY", "CLF", "9999999999999999999.99999999999"),
    ],
)
def test_a_rate_turns_minor_units_into_minor_units(rate: str, held: str, wanted: str, factor: str) -> None:
    assert parse_rate(rate, held, wanted) == Decimal(factor)


@pytest.mark.parametrize(
    ("rate", "pair", "complaint"),
    [
        ("1", ("USD", "USD"), "always 1"),
        ("1", ("USD", "eur"), "eur is no currency"),
        ("1", ("", "EUR"), "no currency"),
        *((rate, ("USD", "EUR"), "above 0") for rate in ("", "0", "0.00", "-1", "1e3", "1,5", ".5", "1.", "1" * 16)),
    ],
)
def test_what_is_no_rate_is_refused(rate: str, pair: tuple[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_rate(rate, *pair)


@given(st.integers(0, LARGEST - 1), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_is_written_with_all_its_digits_and_read_as_itself(minor: int, currency: str) -> None:
    text = decimal_text(minor, currency)
    assert minor_units(text, currency) == minor
    assert len(text.partition(".")[2]) == EXPONENTS[currency]
