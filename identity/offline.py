"""Offline touches, such as a call or a fair: which stand otherwise than they should, and who must hear of it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

TouchKey = tuple[UUID, str]
"""Within what its event id is unique, and the event id."""


class OfflineTouch(NamedTuple):
    """A touch that no visit is, and the identifier that owns it; as the table has it."""

    scope: UUID
    touch_id: str
    occurred_at: datetime
    visitor_id: str | None
    name: str | None
    channel: str
    source: str
    medium: str
    campaign: str | None
    owner: UUID | None

    @property
    def key(self) -> TouchKey:
        return (self.scope, self.touch_id)


Change = tuple[datetime, UUID | None, UUID | None]
"""A touch that changed for deals: when it is, whose it was, whose it is."""


def changes_of(stand: Mapping[TouchKey, OfflineTouch], due: Mapping[TouchKey, OfflineTouch]) -> list[Change]:
    """What changes for deals; a touch that moves in time changes at both times."""
    changes: list[Change] = []
    for key in sorted(stand.keys() | due.keys()):
        old, new = stand.get(key), due.get(key)
        if old != new:
            changes += [(old.occurred_at, old.owner, None)] if old else []
            changes += [(new.occurred_at, None, new.owner)] if new else []
    return changes
