"""Leads: people, each a set of identifiers that events connected."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Lead:
    """A connected component of identifiers. Its id is that of its earliest identifier, and any of them finds it."""

    lead_id: UUID
    identifiers: tuple[str, ...]
    """Sorted by code point."""
    first_seen: datetime
