"""The wall clock. The collector stamps it into events; nothing that derives state from them reads it."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place that the ban points to
