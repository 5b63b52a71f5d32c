"""Who of a group consumes which partition: dealt out in turn among the members that live, by the database's clock.

A lease only saves work. That two who both believe to hold a partition do no harm is the fence's doing, see `consumer`.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from services.runtime.logs import describe
from services.runtime.postgres import Database, columns, is_application, is_conflict, is_outage, load_queries

LEASE = timedelta(seconds=10)
RENEW_SECONDS = 2.0
LEAVE_SECONDS = 3.0

ALONE = "replay"
"""The application of members that want all partitions to stand still: while one is there, the others hold none."""

queries = load_queries(__package__)
logger = logging.getLogger(__name__)


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


def share_of(places: Sequence[Place], members: Sequence[str], member: str) -> list[Place]:
    """What `member` is to hold: every n-th place, so that each topic, and all of them, are shared fairly.

    All members compute it from the same sorted lists, so that the shares do not overlap. A member that is not listed
    gets none; nor does anyone beside a member that wants to be alone.
    """
    sharing = sorted(each for each in members if is_application(each, ALONE)) or sorted(members)
    if member not in sharing:
        return []
    return sorted(places)[sharing.index(member) :: len(sharing)]


class Lease:
    """The membership of one consumer among the readers of a log in its group.

    `database` is its own: the member lives while its sessions do.
    """

    def __init__(self, database: Database, log_id: UUID, group: str, places: Iterable[Place]) -> None:
        self._database = database
        self._log_id = log_id
        self._group = group
        self._member = database.application
        self.places = sorted(places)
        self.wanted: list[Place] = []
        """The fair share, as of the last renewal."""
        self.renewals = 0

    async def join(self) -> None:
        """Become a member; on the first start of a group, begin every partition at offset 0."""
        await self._database.execute(queries.make_positions, self._log_id, self._group, *columns(self.places))
        await self.renew()

    async def keep(self) -> None:
        """Renew the lease for ever. An outage does not end it; other errors do."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.renew()
            except Exception as error:
                if not (is_outage(error) or is_conflict(error)):
                    raise
                logger.warning("lease not renewed", extra={"group": self._group, "reason": describe(error)})

    async def renew(self) -> None:
        """Live for another ten seconds, bury the dead, and look who is there."""
        await self._database.execute(queries.renew_member, self._log_id, self._group, self._member, LEASE)
        await self._database.execute(queries.bury_members, self._log_id, self._group, self._member)
        rows = await self._database.fetch(queries.members, self._log_id, self._group)
        members = [row["member"] for row in rows]
        self.wanted = share_of(self.places, members, self._member)
        self.renewals += 1

    async def settle(self) -> dict[Place, int]:
        """Let go of what is beyond the share, take what is free of it; what is held now, with the next offset of each.

        Call it between batches: of what is let go nothing may be under way.
        """
        held = await self._held()
        beyond = [place for place in held if place not in self.wanted]
        if beyond:
            await self._change(queries.release_positions, beyond)
        missing = [place for place in self.wanted if place not in held]
        if missing:
            await self._change(queries.claim_positions, missing)
        if beyond or missing:
            held = await self._held()
        return held

    async def leave(self) -> None:
        """Let go of all, so that others start at once. When that fails the lease runs out by itself."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._database.execute(queries.remove_member, self._log_id, self._group, self._member)
        except Exception as error:  # noqa: BLE001 - the process ends; there is nothing left to do but to say so
            logger.warning("left without a word", extra={"group": self._group, "reason": describe(error)})

    async def _held(self) -> dict[Place, int]:
        rows = await self._database.fetch(queries.held_positions, self._log_id, self._group, self._member)
        return {Place(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def _change(self, query: str, places: Sequence[Place]) -> None:
        await self._database.execute(query, self._log_id, self._group, self._member, *columns(places))
