"""Instants: RFC 3339 in any offset on the way in, UTC microseconds inside and on the way out."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))\Z",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)

FIRST = datetime.min.replace(tzinfo=UTC) + timedelta.resolution
LAST = datetime.max.replace(tzinfo=UTC) - timedelta.resolution
"""The ends of time, a microsecond short of Python's: asyncpg takes those for Postgres' infinities.

They do occur: the zero time of Go and .NET is the first instant of year 1, .NET's greatest the last of 9999.
"""
_END_YEARS = frozenset({FIRST.year, LAST.year})


def parse_instant(text: str) -> datetime:
    """The instant that an RFC 3339 date-time names, in UTC; digits finer than a microsecond are cut off.

    A leap second is the last microsecond before it, and the ends of time are a microsecond off, see `FIRST`. Raises
    ValueError for anything else, and for instants outside of the years 1 to 9999 in UTC.
    """
    match = _RFC3339.match(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time such as 2026-03-01T09:30:00Z")
    day, minute, second, fraction, _, sign, hours, minutes = match.groups()
    digits = (fraction or "")[:6].ljust(6, "0")
    if second == "60":
        second, digits = "59", "999999"
    instant = datetime.fromisoformat(f"{day}T{minute}:{second}.{digits}+00:00")
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("the offset is not a time of day")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        try:
            instant = instant - offset if sign == "+" else instant + offset
        except OverflowError as error:
            raise ValueError("outside of the years 1 to 9999 in UTC") from error
    return within_time(instant)


def within_time(instant: datetime) -> datetime:
    """The instant in UTC, or the end of time that it is at or beyond."""
    return min(max(instant, FIRST), LAST) if instant.year in _END_YEARS else instant.astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with six digits, so that the text order is the time order."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    return utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def is_date(text: str) -> bool:
    """Whether this has the shape of a date without a time."""
    return _DATE.match(text) is not None


def parse_date(text: str) -> date:
    """The date that a text such as 2026-03-01 names. Raises ValueError for anything else."""
    if not is_date(text):
        raise ValueError("is no date such as 2026-03-01")
    return date.fromisoformat(text)


def end_of_day(text: str, zone: ZoneInfo) -> datetime:
    """The last microsecond of a date in `zone`, in UTC. Raises ValueError when there is no such date."""
    try:
        following = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone)
        return following.astimezone(UTC) - timedelta(microseconds=1)
    except OverflowError as error:
        raise ValueError("outside of the years 1 to 9999") from error
