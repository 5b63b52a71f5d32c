"""What spend and a rate must say to be read."""

from typing import Any

import pytest

from schemas.codec import UndecodableError, decode, encode
from schemas.spend import RateEvent, SpendEvent
from tests.builders import at, make_event

SPEND = make_event("spend", "s", at(), date="2026-03-01", source="google", amount="12.50", currency="EUR")
RATE = make_event("rate", "r", at(), **{"date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9223"})


def test_both_come_through_the_log_as_they_are() -> None:
    spend, rate = (decode(encode(payload))[0] for payload in (SPEND, RATE))
    assert isinstance(spend, SpendEvent)
    assert (spend.date, spend.source, spend.medium, spend.amount) == ("2026-03-01", "google", None, "12.50")
    assert isinstance(rate, RateEvent)
    assert (rate.from_, rate.to, rate.rate) == ("USD", "EUR", "0.9223")


@pytest.mark.parametrize(
    ("payload", "change", "complaint"),
    [
        (SPEND, {"date": "2026-02-30"}, "date"),
        (SPEND, {"date": "1 March"}, "date"),
        (SPEND, {"amount": "-1"}, "negative"),
        (SPEND, {"amount": "1.505"}, "more than the 2 decimals of EUR"),
        (SPEND, {"amount": 12.5}, "amount"),
        (SPEND, {"currency": "EURO"}, "ISO 4217"),
        (RATE, {"date": None}, "date"),
        (RATE, {"from": "XXX"}, "ISO 4217"),
        (RATE, {"to": "USD"}, "always 1"),
        (RATE, {"rate": "0"}, "above 0"),
    ],
)
def test_what_could_not_be_counted_is_refused(payload: dict[str, Any], change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UndecodableError, match=complaint):
        decode(encode(payload | change))
