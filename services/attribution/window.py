"""Which touches a deal looks at, and which of them are its milestones. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

BEGINNING = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def window(created_at: datetime, closed_at: datetime, lookback: timedelta) -> tuple[datetime, datetime]:
    """The first and the last instant at which a touch can be credited, both included."""
    begun = min(created_at, closed_at)
    return (begun - lookback if begun - BEGINNING > lookback else BEGINNING, closed_at)


def milestone(times: Sequence[datetime], at: datetime | None) -> int:
    """The place of the last touch at or before `at`; else, and when there is no such milestone, of the first."""
    return max(bisect_right(times, at) - 1, 0) if at else 0
