"""Money: decimal text on the way in and out, integer minor units of ISO 4217 inside."""

import re
from decimal import Context, Decimal

_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
    "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
    "SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS = {currency: digits for digits, currencies in _UNITS.items() for currency in currencies.split()}
"""Digits of the minor unit by currency, the active codes of ISO 4217 (list one of 2025)."""

LARGEST = 10**17
"""Minor units of the largest amount; well inside Postgres' bigint, also when a few are added up."""

_DECIMAL = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?\Z", re.ASCII)
"""Plain digits. Decimal() would also take exponents (1e999999 overflows it), other scripts' digits and underscores."""


_RATE = re.compile(r"(?=.*[1-9])\d{1,15}(\.\d{1,15})?\Z", re.ASCII)
_ALL_DIGITS = Context(prec=60)
"""Enough for every digit of a rate, so that nothing is rounded."""


def minor_units(amount: str, currency: str) -> int:
    """The amount in the currency's minor unit.

    Raises ValueError for an unknown currency, what is no plain decimal number, more decimals than the currency has, a
    negative amount and one of 10^17 minor units and more.
    """
    digits = EXPONENTS.get(currency)
    if digits is None:
        raise ValueError("is no currency code of ISO 4217")
    match = _DECIMAL.match(amount)
    if match is None:
        raise ValueError("is no decimal number such as 1234.50")
    sign, whole, fraction = match.groups(default="")
    fraction = fraction.rstrip("0")
    if sign and (whole + fraction).strip("0"):
        raise ValueError("is negative; a refund is a lower amount")
    if len(fraction) > digits:
        raise ValueError(f"has more than the {digits} decimals of {currency}")
    minor = int(whole + fraction.ljust(digits, "0"))
    if minor >= LARGEST:
        raise ValueError("is too large")
    return minor


def parse_rate(rate: str, held: str, wanted: str) -> Decimal:
    """How many minor units of `wanted` one minor unit of `held` is worth, where one whole unit is worth `rate`.

    A dollar of 0.9 euros is 0.9 cents a cent; a dollar of 150 yen is 1.5 yen a cent. Exact. Raises ValueError for an
    unknown currency, one currency twice, and a rate that is not a plain decimal number above 0 of at most 15 digits
    before and 15 after the point.
    """
    for currency in (held, wanted):
        if currency not in EXPONENTS:
            raise ValueError(f"{currency} is no currency code of ISO 4217")
    if held == wanted:
        raise ValueError(f"{held} in {wanted} is always 1")
    if not _RATE.match(rate):
        raise ValueError("rate is no decimal number above 0 such as 1.0842")
    return Decimal(rate).scaleb(EXPONENTS[wanted] - EXPONENTS[held], _ALL_DIGITS)


def decimal_text(minor: int, currency: str) -> str:
    """The amount as a decimal string with all digits of its currency's minor unit."""
    digits = EXPONENTS[currency]
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"
