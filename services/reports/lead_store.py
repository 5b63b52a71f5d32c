"""What reports reads of leads from Postgres. Every method answers from one snapshot of the state."""

from uuid import UUID

from services.reports.leads import Evidence, History, LeadFacts
from services.reports.snapshot import snapshot
from services.reports.timeline import END, NEWEST_MOMENTS, Place, moments_of
from services.runtime.postgres import Connection, Database, load_queries

QUERIES = load_queries(__package__, "leads.sql")


class LeadStore:
    """The read side of people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self, identifier: UUID) -> LeadFacts | None:
        """What is known of the lead that holds the identifier with this id now; None when nobody has it."""
        async with snapshot(self._database) as connection:
            return await _facts(connection, identifier)

    async def history(self, identifier: UUID, before: Place, limit: int) -> tuple[LeadFacts, History] | None:
        """That and the lead's history, of which the timeline has one entry more than `limit` where there is one."""
        async with snapshot(self._database) as connection:
            facts = await _facts(connection, identifier)
            if facts is None:
                return None
            ids = [member["identifier"] for member in facts.members]
            touches = await connection.fetch(QUERIES.touches, ids)
            timeline = await connection.fetch(QUERIES.timeline, ids, *before, limit + 1)
        return facts, History(touches, timeline)

    async def evidence(self, identifier: UUID, limit: int) -> tuple[LeadFacts, Evidence] | None:
        """That, and why its identifiers and visits are the lead's: `limit` lines of each kind at most."""
        async with snapshot(self._database) as connection:
            facts = await _facts(connection, identifier)
            if facts is None:
                return None
            ids = [member["identifier"] for member in facts.members]
            refusals = await connection.fetch(QUERIES.refusals, ids, limit)
            return facts, Evidence(
                joins=await connection.fetch(QUERIES.joins, ids, limit),
                refusals=refusals,
                partners=await connection.fetch(QUERIES.partners, sorted({row["shared"] for row in refusals})),
                stand_ins=await connection.fetch(QUERIES.stand_ins, ids, limit),
                unlinked=await connection.fetch(QUERIES.unlinked, ids, limit),
                owned=await connection.fetch(QUERIES.owned, ids, limit),
            )


async def _facts(connection: Connection, identifier: UUID) -> LeadFacts | None:
    members = await connection.fetch(QUERIES.members, identifier)
    if not members:
        return None
    ids = [member["identifier"] for member in members]
    seen = await connection.fetchrow(QUERIES.seen, ids)
    assert seen is not None  # aggregates answer one row
    return LeadFacts(
        members=members,
        seen=seen,
        first_touch=await connection.fetchrow(QUERIES.first_touch, ids),
        traits=await connection.fetch(QUERIES.traits, ids),
        moments=moments_of(await connection.fetch(QUERIES.timeline, ids, *END, NEWEST_MOMENTS)),
        deals=await connection.fetch(QUERIES.deals, ids),
    )
