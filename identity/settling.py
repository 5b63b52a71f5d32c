"""Settling in the database what is decided of people at large: leads, under the graph's lock, and offline touches."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from identity import lead_store, store, touch_store
from identity.components import (
    Identifier,
    Pair,
    changed_leads,
    joined,
    merging,
    parts_to_read,
    place,
    possibly_shared,
    shared_by_count,
)
from identity.facts import Facts
from identity.folding import touch_notes
from identity.lead_store import Link
from identity.offline import TouchKey, changes_of
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime.postgres import Connection, Database


async def settle_leads(database: Database, facts: Facts, numbers: Mapping[str, int], cuts: Sequence[Pair]) -> None:
    """Bring the leads in line with the batch's links, and with these cuts, where they are not.

    `numbers` are those of the batch's visitors.
    Whoever returns from here has the graph's word that all who changed leads meanwhile knew the batch's facts.
    """
    if not cuts and not facts.seen:
        return
    if not cuts and not await lead_store.brings_links(database, facts):
        await lead_store.await_graph(database)
        return
    async with database.transaction(durable=False) as connection:
        await lead_store.lock_graph(connection)
        parted = {end for pair in await lead_store.put_cuts(connection, cuts) for end in pair} if cuts else set()
        links = await lead_store.take_links(connection, facts)
        changed = await lead_store.identifiers(connection, {end for link in links for end in link[:2]})
        if parted or await makes_shared(connection, changed, links):
            await settle(connection, changed.keys() | parted, parted)
        elif links:
            await join(connection, changed, links, facts, numbers)


async def makes_shared(connection: Connection, changed: Mapping[UUID, Identifier], links: Sequence[Link]) -> bool:
    """Whether one of the links is one too many for an identifier; `changed` are their ends."""
    judged = possibly_shared(changed, uncut(links))
    return bool(judged and shared_by_count(await lead_store.partner_counts(connection, judged)))


async def join(
    connection: Connection,
    changed: Mapping[UUID, Identifier],
    links: Sequence[Link],
    facts: Facts,
    numbers: Mapping[str, int],
) -> None:
    """Let the links join leads, none of which makes an identifier shared. The graph is locked.

    It costs no more than the links and the leads that become others, however large the one is that they join.
    """
    heads = await lead_store.identifiers(connection, {each.lead for each in changed.values()} - changed.keys())
    leads = joined(changed, heads, uncut(links))
    merged = merging(leads)
    if merged:
        await note_merged(connection, merged, facts, numbers)
    await lead_store.put_joined(connection, changed, leads, links)


async def note_merged(
    connection: Connection, merged: Mapping[UUID, Sequence[UUID]], facts: Facts, numbers: Mapping[str, int]
) -> None:
    """Note who must hear of leads that are about to become one: by what they become, those that do."""
    sizes = await lead_store.members_of(connection, [old for olds in merged.values() for old in olds])
    await lead_store.note_visitors_of_joined(connection, parts_to_read(merged, sizes), facts, numbers)
    await store.leave_notes(connection, [Note(ATTRIBUTOR, NoteKind.lead, str(new)) for new in sorted(merged)])


def uncut(links: Iterable[Link]) -> list[Pair]:
    """Those that nobody holds apart."""
    return [(link.a, link.b) for link in links if not link.cut]


async def settle(connection: Connection, changed: Collection[UUID], parted: Collection[UUID] = ()) -> None:
    """Decide the leads around these identifiers anew, and note who must hear of it. The graph is locked.

    The `parted` are those of a pair that was unlinked or linked again: only then may one cease to be shared.
    """
    were_shared = [each.id for each in (await lead_store.identifiers(connection, parted)).values() if each.shared]
    still = shared_by_count(await lead_store.partner_counts(connection, were_shared)) if were_shared else set()
    reopened = set(were_shared) - still
    members, outsiders, pairs = await lead_store.neighbourhood(connection, sorted(changed), reopened)
    if not members:
        return  # a cut of people whom nobody has seen yet
    judged = {each: member._replace(shared=False) if each in reopened else member for each, member in members.items()}
    placed = place(judged, outsiders, {pair for pair, is_cut in pairs.items() if not is_cut})
    leads = sorted(changed_leads(members, placed))
    flipped = sorted(member.id for member in members.values() if member.shared != placed[member.id].shared)
    await lead_store.put_placements(connection, members, placed, pairs)
    await store.leave_notes(
        connection,
        [Note(group, NoteKind.lead, str(lead)) for group in (IDENTITY, ATTRIBUTOR) for lead in leads]
        + [Note(IDENTITY, NoteKind.shared, str(identifier)) for identifier in flipped]
        # It may have been alone in its lead, and still is; yet by it nobody registers any more, or somebody again.
        + [Note(ATTRIBUTOR, NoteKind.lead, str(identifier)) for identifier in flipped],
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
