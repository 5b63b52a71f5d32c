"""Settling in the database what is decided of people at large: leads, under the graph's lock, and offline touches."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from identity import lead_store, store, touch_store
from identity.components import Pair, changed_leads, place, reopened_among
from identity.facts import Facts
from identity.folding import touch_notes
from identity.offline import TouchKey, changes_of
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime.postgres import Connection, Database


async def settle_leads(database: Database, facts: Facts, cuts: Sequence[Pair]) -> None:
    """Bring the leads in line with the batch's links, and with these cuts, where they are not."""
    if not cuts and not (facts.seen and await lead_store.unsettled(database, facts)):
        return
    async with database.transaction(durable=False) as connection:
        await lead_store.lock_graph(connection)
        ends = {end for pair in await lead_store.put_cuts(connection, cuts) for end in pair} if cuts else set()
        if changed := sorted({*await lead_store.unsettled(connection, facts), *ends}):
            await settle(connection, changed, sorted(ends))


async def settle(connection: Connection, changed: Sequence[UUID], parted: Sequence[UUID] = ()) -> None:
    """Decide the leads around these identifiers anew, and note who must hear of it. The graph is locked.

    The `parted` are those of a pair that was unlinked or linked again: only then may one cease to be shared.
    """
    reopened = reopened_among(await lead_store.partner_counts(connection, parted)) if parted else set()
    members, outsiders, pairs = await lead_store.neighbourhood(connection, changed, reopened)
    if not members:
        return  # a cut of people whom nobody has seen yet
    judged = {each: replace(member, shared=False) if each in reopened else member for each, member in members.items()}
    placed = place(judged, outsiders, {pair for pair, is_cut in pairs.items() if not is_cut})
    leads = sorted(changed_leads(members, placed))
    flipped = sorted(member.id for member in members.values() if member.shared != placed[member.id].shared)
    await lead_store.put_placements(connection, members, placed, pairs)
    await store.leave_notes(
        connection,
        [Note(group, NoteKind.lead, str(lead)) for group in (IDENTITY, ATTRIBUTOR) for lead in leads]
        + [Note(IDENTITY, NoteKind.shared, str(identifier)) for identifier in flipped],
    )


async def settle_touches(connection: Connection, touches: Sequence[TouchKey], visitors: Collection[str]) -> None:
    """Bring these offline touches, and those of these visitors, in line with what is said of them and who owns visits.

    The visitors are locked.
    """
    keys = await touch_store.lock_touches(connection, touches, visitors)
    if not keys:
        return
    stand, due = await touch_store.offline_touches(connection, keys)
    gone, put = stand.keys() - due.keys(), [touch for key, touch in due.items() if stand.get(key) != touch]
    await touch_store.replace_touches(connection, sorted(gone), put)
    await store.leave_notes(connection, touch_notes(changes_of(stand, due)))
