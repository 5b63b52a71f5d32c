"""Notes: that somebody must look again, left in the transaction that changed what they depend on."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

ALL_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""Before and after every event; asyncpg writes them as Postgres' own infinities."""


class NoteKind(StrEnum):
    """What changed, and what the note's key therefore is."""

    lead = "lead"
    """A lead has other people in it. Key: the lead's id."""
    shared = "shared"
    """An identifier names nobody any more, or somebody again. Key: its id."""
    visitor = "visitor"
    """A visitor's visits may be others. Key: the visitor."""
    touch = "touch"
    """An offline touch may have another owner. Key: its scope and event id, as a JSON array."""
    touches = "touches"
    """Touches came, went or changed hands, or a lead may have been created at another time. Key: an identifier's id."""
    deal = "deal"
    """A deal's credits may be others. Key: its provider, its id and the cause, as a JSON array."""


class Note(NamedTuple):
    """That a consumer group must look at `key` again, as far as it concerns this time."""

    group: str
    kind: NoteKind
    key: str
    from_at: datetime = ALL_TIME[0]
    to_at: datetime = ALL_TIME[1]
