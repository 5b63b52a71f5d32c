"""Instants as RFC 3339 writes them, and dates as the end of their day."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instant import end_of_day, format_instant, is_date, parse_instant, within_time


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000Z", id="UTC"),
        pytest.param("2026-03-01t09:30:00z", "2026-03-01T09:30:00.000000Z", id="small letters"),
        pytest.param("2026-03-01 09:30:00Z", "2026-03-01T09:30:00.000000Z", id="a space between"),
        pytest.param("2026-03-01T09:30:00+02:00", "2026-03-01T07:30:00.000000Z", id="east"),
        pytest.param("2026-03-01T09:30:00-05:30", "2026-03-01T15:00:00.000000Z", id="west"),
        pytest.param("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00.000000Z", id="the day before"),
        pytest.param("2026-03-01T09:30:00.5Z", "2026-03-01T09:30:00.500000Z", id="a tenth"),
        pytest.param("2026-03-01T09:30:00.123456Z", "2026-03-01T09:30:00.123456Z", id="microseconds"),
        pytest.param(
            "2026-03-01T09:30:00.1234569Z", "2026-03-01T09:30:00.123456Z", id="finer digits are cut, not rounded"
        ),
        pytest.param("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z", id="a leap second"),
        pytest.param(
            "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", id="the first instant, all but a microsecond"
        ),
        pytest.param(
            "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999998Z", id="the last instant, all but a microsecond"
        ),
    ],
)
def test_an_instant_is_utc_to_the_microsecond(text: str, written: str) -> None:
    assert format_instant(parse_instant(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-03-01", "2026-03-01T09:30:00", "2026-03-01T09:30Z", "2026-02-30T09:30:00Z", "1772357400"),
        *("2026-03-01T25:00:00Z", "2026-03-01T09:30:61Z", "2026-03-01T09:30:00+24:00", "2026-03-01T09:30:00+02:60"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z", "2026-03-01T09:30:00.Z"),
        *("\uff12\uff10\uff12\uff16-03-01T09:30:00Z", "2026-03-01T09:30:00Z\n", " 2026-03-01T09:30:00Z"),
    ],
)
def test_what_rfc_3339_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))])))
def test_what_is_written_is_read_as_the_same_instant(instant: datetime) -> None:
    try:
        written = format_instant(instant)
    except OverflowError:
        return
    assert parse_instant(written) == within_time(instant)


@pytest.mark.parametrize(
    ("day", "zone", "end"),
    [
        pytest.param("2026-03-01", "UTC", "2026-03-01T23:59:59.999999Z", id="UTC"),
        pytest.param("2026-03-01", "Asia/Tokyo", "2026-03-01T14:59:59.999999Z", id="the day ends earlier in the east"),
        pytest.param("2026-03-29", "Europe/Berlin", "2026-03-29T21:59:59.999999Z", id="summer time begins"),
        pytest.param("2026-10-25", "Europe/Berlin", "2026-10-25T22:59:59.999999Z", id="summer time ends"),
        pytest.param("2026-12-31", "America/New_York", "2027-01-01T04:59:59.999999Z", id="New Year's Eve"),
    ],
)
def test_a_date_is_the_last_microsecond_of_its_day(day: str, zone: str, end: str) -> None:
    assert is_date(day)
    assert format_instant(end_of_day(day, ZoneInfo(zone))) == end


@pytest.mark.parametrize("text", ["2026-02-30", "9999-12-31", "0000-01-01"])
def test_a_date_that_has_no_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        end_of_day(text, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "text", ["2026-03-01T00:00:00Z", "2026-3-1", "20260301", "2026-03-01\n", "\uff12\uff10\uff12\uff16-03-01", ""]
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert not is_date(text)
