"""The identity consumer: events in, facts stored, leads and visits derived, notes left for the attributor.

A batch takes three steps: facts are committed; leads are settled under the graph's lock, where the batch brings new
links at all; visits are folded under the visitors' locks, and only this last step moves the position and waits for the
disk. After a crash between any two of them the batch comes again, and finds its facts there already.
"""

from collections.abc import Sequence
from uuid import UUID

from identity import store
from identity.components import changed_leads, place
from identity.facts import Facts, facts_of
from identity.folding import fold_spans
from identity.store import Span
from schemas.note import ALL_TIME, Note, NoteKind
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime.delivering import Delivery, Fence
from services.runtime.notes import work_off
from services.runtime.postgres import Connection, Database

NOTES_AT_ONCE = 100
VISITORS_AT_ONCE = 200


class Resolver:
    """Joins visitors and leads."""

    def __init__(self, database: Database, id_key: str, own_domains: Sequence[str]) -> None:
        self._database = database
        self._id_key = id_key
        self._own_domains = own_domains

    async def handle(self, batch: Sequence[Delivery], fence: Fence) -> None:
        """Take in the batch, whole."""
        facts = facts_of(((delivery.event, delivery.body) for delivery in batch), self._id_key, self._own_domains)
        await store.add_facts(self._database, facts)
        await self._settle_leads(facts)
        async with self._database.transaction() as connection:
            if facts.hits:
                await store.lock_visitors(connection, (hit.visitor_id for hit in facts.hits))
                await fold_spans(connection, await store.concerned_spans(connection, facts.hits))
            await fence(connection)

    async def work_notes(self) -> bool:
        """Work off some notes: first which visitors they concern, then those visitors."""
        return await work_off(
            self._database, IDENTITY, (NoteKind.lead, NoteKind.shared), NOTES_AT_ONCE, store.note_visitors
        ) or await work_off(self._database, IDENTITY, (NoteKind.visitor,), VISITORS_AT_ONCE, fold_again)

    async def _settle_leads(self, facts: Facts) -> None:
        if not facts.seen or not await store.unsettled(self._database, facts):
            return
        async with self._database.transaction(durable=False) as connection:
            await store.lock_graph(connection)
            if changed := await store.unsettled(connection, facts):
                await settle(connection, changed)


async def fold_again(connection: Connection, notes: Sequence[Note]) -> None:
    """Bring these visitors' visits, all of them, in line with what has changed since they were folded."""
    visitors = sorted({note.key for note in notes})
    await store.lock_visitors(connection, visitors)
    await fold_spans(connection, [Span(visitor, *ALL_TIME) for visitor in visitors])


async def settle(connection: Connection, changed: Sequence[UUID]) -> None:
    """Decide the leads around these identifiers anew, and note who must hear of it. The graph is locked."""
    members, outsiders, pairs = await store.neighbourhood(connection, changed)
    placed = place(members, outsiders, pairs)
    leads = sorted(changed_leads(members, placed))
    flipped = sorted(member.id for member in members.values() if member.shared != placed[member.id].shared)
    await store.put_placements(connection, members, placed, pairs)
    await store.leave_notes(
        connection,
        [Note(group, NoteKind.lead, str(lead)) for group in (IDENTITY, ATTRIBUTOR) for lead in leads]
        + [Note(IDENTITY, NoteKind.shared, str(identifier)) for identifier in flipped],
    )
