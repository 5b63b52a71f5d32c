"""The identity consumer: events in, facts stored, leads and visits derived, notes left for the attributor.

A batch takes three steps: facts are committed; leads are settled under the graph's lock, where the batch brings new
links at all; visits are folded under the visitors' locks, and only this last step moves the position and waits for the
disk. After a crash between any two of them the batch comes again, and finds its facts there already.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from identity import fact_store, store
from identity.fact_store import Registrations
from identity.facts import facts_of
from identity.folding import fold_noted, fold_spans
from identity.offline import TouchKey
from identity.settling import settle_leads, settle_touches
from schemas.identifier import identifier_id
from schemas.note import Note, NoteKind
from schemas.topics import IDENTITY
from services.runtime.delivering import Delivery, Fence
from services.runtime.notes import work_off
from services.runtime.postgres import Connection, Database

NOTES_AT_ONCE = 100
VISITORS_AT_ONCE = 200

HITS_AGAIN_AT_ONCE = 1_000
"""Late hits among more (a kiosk's, a monitor's) wait some seconds for others, so that they hold up nobody."""


class Resolver:
    """Joins visitors and leads."""

    def __init__(self, database: Database, id_key: str, own_domains: Sequence[str]) -> None:
        self._database = database
        self._id_key = id_key
        self._own_domains = own_domains

    async def handle(self, batch: Sequence[Delivery], fence: Fence) -> None:
        """Take in the batch, whole."""
        facts = facts_of(((delivery.event, delivery.body) for delivery in batch), self._id_key, self._own_domains)
        numbers = await fact_store.add_facts(self._database, facts)
        concerned = await fact_store.concerned_statements(self._database, facts)
        await settle_leads(self._database, facts, numbers, concerned.cuts)
        visitors = {hit.visitor_id for hit in facts.hits}
        async with self._database.transaction() as connection:
            registered = concerned.registered
            if visitors:
                numbers = await store.lock_visitors(connection, visitors)
                spans, contested = await store.concerned_spans(connection, numbers, facts.hits)
                await fold_spans(connection, spans, longest=HITS_AGAIN_AT_ONCE)
                registered = await self._with_contested(connection, registered, contested)
            if visitors or concerned.touches:
                await settle_touches(connection, concerned.touches, visitors)
            await store.note_registrations(connection, registered)
            await fence(connection)

    async def _with_contested(
        self, connection: Connection, registered: Registrations, contested: Sequence[tuple[str, str]]
    ) -> Registrations:
        """The batch's registrations, and those whose event ids, of visitors, hits of the batch may have taken."""
        if not contested:
            return registered
        keys = [(identifier_id(f"visitor:{visitor}", self._id_key), event_id) for visitor, event_id in contested]
        others = await fact_store.registered_in(connection, keys)
        return fact_store.earliest([([each], at) for some in (registered, others) for each, at in some.items()])

    async def work_notes(self) -> bool:
        """Work off some notes: first which visitors and offline touches they concern, then those."""
        return await work_off(
            self._database, IDENTITY, (NoteKind.lead, NoteKind.shared), NOTES_AT_ONCE, store.note_concerned
        ) or await work_off(
            self._database, IDENTITY, (NoteKind.visitor, NoteKind.touch), VISITORS_AT_ONCE, settle_noted
        )


async def settle_noted(connection: Connection, notes: Sequence[Note]) -> None:
    """Bring the visits of these visitors in these times, and these offline touches, in line with what has changed."""
    times: dict[str, list[tuple[datetime, datetime]]] = {}
    for note in notes:
        if note.kind is NoteKind.visitor:
            times.setdefault(note.key, []).append((note.from_at, note.to_at))
    visitors = sorted(times)
    touches = sorted({touch_key(note) for note in notes if note.kind is NoteKind.touch})
    if visitors:
        numbers = await store.lock_visitors(connection, visitors)
        await fold_noted(connection, {numbers[visitor]: times[visitor] for visitor in visitors})
    await settle_touches(connection, touches, visitors)


def touch_key(note: Note) -> TouchKey:
    """The offline touch that a note is about."""
    scope, event_id = orjson.loads(note.key)
    return UUID(scope), event_id
