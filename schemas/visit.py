"""Visits and touches: what the fold of a visitor's hits yields, and what credit is given to."""

from datetime import datetime
from typing import NamedTuple


class Source(NamedTuple):
    """Where a visit came from. `channel` is one of GA4's default channel group; None means absent."""

    channel: str
    source: str
    medium: str
    campaign: str | None = None
    content: str | None = None
    term: str | None = None


DIRECT = Source("Direct", "(direct)", "(none)")
"""Nobody sent the visitor, as far as anyone can tell."""


class Touch(NamedTuple):
    """A visit with a page, or an offline contact, as a deal's journey sees it."""

    visitor_id: str
    touch_id: str
    """The `event_id` of the first hit."""
    occurred_at: datetime
    source: Source
    landing_page: str | None
    referrer: str | None

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Journeys are ordered by time, then touch id, then visitor."""
        return (self.occurred_at, self.touch_id, self.visitor_id)
