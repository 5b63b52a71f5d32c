"""Leads in the database: identifiers, the pairs between them, and the cuts that hold pairs apart. Decides nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from identity.components import COUNTED, Identifier, Pair, Part, Placement, kind_of
from identity.facts import Facts
from services.runtime.arrays import Parameter, arrays
from services.runtime.postgres import Connection, Database, load_queries

QUERIES = load_queries("identity")


class Link(NamedTuple):
    """A pair that the leads do not take into account yet, or an identifier beside itself that was seen earlier."""

    a: UUID
    b: UUID
    cut: bool
    """Whether the pair is held apart."""


async def brings_links(database: Database, facts: Facts) -> bool:
    """Whether the batch says anything that the leads do not take into account yet."""
    return bool(await database.fetchval(QUERIES.brings_links, *_said(facts)))


async def take_links(connection: Connection, facts: Facts) -> list[Link]:
    """What of the batch the leads do not take into account yet. From here on they do: the graph is locked."""
    return [Link(*row) for row in await connection.fetch(QUERIES.take_links, *_said(facts))]


def _said(facts: Facts) -> list[Parameter]:
    pairs = arrays(facts.pairs) or [None] * 2
    return [*pairs, [seen.id for seen in facts.seen]]


async def lock_graph(connection: Connection) -> None:
    """Wait until nobody else changes leads, and keep others from it until the transaction ends."""
    await connection.execute(QUERIES.lock_graph)


async def put_cuts(connection: Connection, pairs: Sequence[Pair]) -> list[Pair]:
    """Hold apart what the newest word on each of these pairs holds apart; the pairs where that is a change."""
    return [(row["a"], row["b"]) for row in await connection.fetch(QUERIES.put_cuts, *arrays(pairs))]


async def partner_counts(connection: Connection, identifiers: Collection[UUID]) -> list[tuple[UUID, str, str, int]]:
    """Of each of these: id, kind, kind of partners, and with how many it was seen."""
    rows = await connection.fetch(QUERIES.partner_counts, list(identifiers))
    return [(row["id"], kind_of(row["value"]), row["partner_kind"], row["partners"]) for row in rows]


async def neighbourhood(
    connection: Connection, changed: Sequence[UUID], reopened: Collection[UUID]
) -> tuple[dict[UUID, Identifier], dict[UUID, Identifier], dict[Pair, bool]]:
    """What `components.place` needs: the members concerned, the outsiders they are paired with, and the pairs.

    Of each pair whether it is held apart. The `reopened` are no longer shared, though they are stored so.
    """
    rows = await connection.fetch(QUERIES.component_members, changed, list(reopened))
    members = {row["id"]: Identifier(*row) for row in rows}
    opened = [each for each, member in members.items() if not member.shared or each in reopened]
    pairs = {(row["a"], row["b"]): row["cut"] for row in await connection.fetch(QUERIES.pairs_around, opened, changed)}
    ends = {end for pair in pairs for end in pair}
    return members, await identifiers(connection, ends - members.keys()), pairs


async def members_of(connection: Connection, leads: Collection[UUID]) -> dict[UUID, int]:
    """How many identifiers each of these leads has, counted up to `COUNTED`."""
    return {row["lead"]: row["members"] for row in await connection.fetch(QUERIES.members_of, list(leads), COUNTED)}


async def note_visitors_of_joined(
    connection: Connection, parts: Sequence[Part], facts: Facts, numbers: Mapping[str, int]
) -> None:
    """Leave a note for each visitor in whom leads meet that become one.

    Visitors of the batch itself are left out, as far as only the batch's hits are concerned.
    """
    instants = {(numbers[visitor], from_at) for _, visitor, from_at, to_at in facts.carriers if from_at == to_at}
    await connection.execute(QUERIES.note_visitors_of_joined, *arrays(parts), *(arrays([*instants]) or [None] * 2))


async def await_graph(database: Database) -> None:
    """Wait until nobody changes leads who began before this."""
    await database.execute(QUERIES.await_graph)


async def put_joined(
    connection: Connection, changed: Mapping[UUID, Identifier], leads: Mapping[UUID, UUID], links: Iterable[Link]
) -> None:
    """Store the leads by what they become; `changed` are the links' ends."""
    if moves := sorted((old, new) for old, new in leads.items() if old != new):
        await connection.execute(QUERIES.move_leads, *arrays(moves))
    seen_earlier = [changed[link.a] for link in links if link.a == link.b]
    if rows := sorted((each.id, each.first_at, leads[each.lead], each.shared) for each in seen_earlier):
        await connection.execute(QUERIES.place_identifiers, *arrays(rows))


async def put_placements(
    connection: Connection,
    members: Mapping[UUID, Identifier],
    placed: Mapping[UUID, Placement],
    pairs: Iterable[Pair],
) -> None:
    """Store the leads as decided, and which facts they take into account.

    That is the members' first sights as they were read, and the pairs among the members. A pair that leads out of them
    was left out: it may be one that another batch has stored and not settled yet.
    """
    rows = sorted(
        (each, members[each].first_at, placement.lead, placement.shared) for each, placement in placed.items()
    )
    await connection.execute(QUERIES.place_identifiers, *arrays(rows))
    if inside := sorted((one, other) for one, other in pairs if one in members and other in members):
        await connection.execute(QUERIES.settle_pairs, *arrays(inside))


async def identifiers(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Identifier]:
    """What is known of these identifiers."""
    rows = await connection.fetch(QUERIES.identifiers_by_id, list(ids))
    return {row["id"]: Identifier(*row) for row in rows}
