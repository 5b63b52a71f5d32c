"""Words of an address to a question, and a question's days to instants."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.reports.questions import Question, Refusal, deal_addresses, email_of, last_days, period_of, question_of


def test_an_address_without_words_asks_for_linear_revenue_by_channel_of_all_time():
    assert question_of() == Question("linear", "channel", None, None, None, None)


def test_empty_words_are_as_good_as_none():
    assert question_of(since="", until="", currency="", as_of="") == Question()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ({"model": "best"}, "unknown_model", "linear"),
        ({"by": "colour"}, "unknown_dimension", "landing_page"),
        ({"since": "2026-02-30"}, "invalid_date", "2026-03-01"),
        ({"until": "20260301"}, "invalid_date", "to="),
        ({"since": "2026-03-01T00:00:00Z"}, "invalid_date", "from="),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "invalid_period", "before"),
        ({"currency": "EURO"}, "unknown_currency", "EUR"),
        ({"as_of": "2026-03-01"}, "invalid_as_of", "RFC 3339"),
        ({"as_of": "2026-03-01T10:00:00 02:00"}, "invalid_as_of", "%2B"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused_with_what_to_write_instead(words, code, told):
    with pytest.raises(Refusal) as refusal:
        question_of(**words)
    assert (refusal.value.status, refusal.value.code) == (400, code)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("UTC", date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 1), datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 7, 1), datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("America/Los_Angeles", date(2026, 3, 1), datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_of_its_zone(zone, day, start):
    assert period_of(day, None, ZoneInfo(zone)) == (start, None)


def test_a_day_beyond_the_calendar_of_its_zone_is_refused():
    with pytest.raises(Refusal):
        period_of(date(1, 1, 1), None, ZoneInfo("Asia/Tokyo"))


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("7", []),
        ("hubspot:7", [("hubspot", "7")]),
        ("a:b:c", [("a", "b:c"), ("a:b", "c")]),
        (":7", [("", "7")]),
    ],
)
def test_an_address_names_a_provider_before_any_of_its_colons(address, meant):
    assert deal_addresses(address) == meant


def test_the_last_days_end_with_today():
    assert last_days(30, date(2026, 3, 31)) == (date(2026, 3, 2), date(2026, 4, 1))


@pytest.mark.parametrize(("text", "code"), [(None, "missing_email"), ("", "missing_email"), ("ann", "invalid_email")])
def test_a_lead_is_asked_for_by_an_address(text, code):
    with pytest.raises(Refusal) as refusal:
        email_of(text)
    assert refusal.value.code == code
