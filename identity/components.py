"""Who is one person: connected components of identifiers, minus what is shared by too many.

Pure. Two identifiers are connected when one event carried both. A user or CRM id seen with more than five e-mails is
an office's login, an e-mail seen with more than five user ids is a mailbox of many: such an identifier connects nobody
and names nobody. A pair that somebody has unlinked connects nobody either, nor does a shared computer: a cookie is no
identifier.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

PARTNERS = 5
"""How many e-mails a user or CRM id, or user ids or CRM ids of one provider an e-mail, may be seen with."""

COUNTED = 1_000
"""Up to how many members a lead's size is known when it is joined with others; from there on it is large."""

Pair = tuple[UUID, UUID]


class Identifier(NamedTuple):
    """What is known of one identifier. `lead` and `shared` are as the last decision left them."""

    id: UUID
    value: str
    first_at: datetime
    lead: UUID
    shared: bool

    @property
    def kind(self) -> str:
        """``email``, ``user``, or ``crm:`` and the provider."""
        return kind_of(self.value)


def kind_of(value: str) -> str:
    """The kind of an identifier, with its provider where it is a CRM's."""
    kind, _, rest = value.partition(":")
    return f"crm:{rest.partition(':')[0]}" if kind == "crm" else kind


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an identifier belongs now."""

    lead: UUID
    shared: bool


def is_too_many(kind: str, partner_kind: str, count: int) -> bool:
    """Whether an identifier of one kind, seen with so many partners of another, is shared."""
    return count > PARTNERS and (kind == "email") != (partner_kind == "email")


def shared_among(known: Mapping[UUID, Identifier], pairs: Iterable[Pair]) -> set[UUID]:
    """Those seen with too many partners of one kind. `pairs` are all that any of the judged has."""
    partners: Counter[tuple[UUID, str]] = Counter()
    for one, other in pairs:
        partners[one, known[other].kind] += 1
        partners[other, known[one].kind] += 1
    return {
        identifier
        for (identifier, partner_kind), count in partners.items()
        if is_too_many(known[identifier].kind, partner_kind, count)
    }


def shared_by_count(counts: Iterable[tuple[UUID, str, str, int]]) -> set[UUID]:
    """Those seen with too many, by all their (id, kind, kind of partners, how many)."""
    return {each for each, kind, partner_kind, count in counts if is_too_many(kind, partner_kind, count)}


def possibly_shared(known: Mapping[UUID, Identifier], pairs: Iterable[Pair]) -> set[UUID]:
    """Those that such new pairs may make shared: an e-mail beside something else counts, an alias does not.

    Who is shared stays so, and is not judged again.
    """
    counting = ((one, other) for one, other in pairs if (known[one].kind == "email") != (known[other].kind == "email"))
    return {end for pair in counting for end in pair if not known[end].shared}


def place(
    members: Mapping[UUID, Identifier], outsiders: Mapping[UUID, Identifier], pairs: set[Pair]
) -> dict[UUID, Placement]:
    """The lead of every member, where `pairs` are all pairs that a member has and that no unlink holds apart.

    Outsiders are the other ends of pairs that lead out of the members; they are known to stay apart, and count only as
    partners. A member that is given as shared stays so; its pairs, which may be those of a whole history, need not be
    given. A lead is named by its component's earliest identifier (by first sight, then value).
    """
    shared = shared_among({**outsiders, **members}, pairs) | {each for each, member in members.items() if member.shared}
    inside = (pair for pair in pairs if members.keys() >= set(pair) and shared.isdisjoint(pair))
    group_of = connected(members, inside)
    named_by = earliest_of((group_of[each], member) for each, member in members.items())
    return {each: Placement(named_by[group_of[each]], each in shared) for each in members}


def joined(
    changed: Mapping[UUID, Identifier], heads: Mapping[UUID, Identifier], links: Iterable[Pair]
) -> dict[UUID, UUID]:
    """By each lead of these identifiers the one that it becomes, when links are added and nothing falls apart.

    `heads` are the identifiers that name these leads, but for those that are themselves among the changed; one that was
    seen earlier now names its lead. A link of one that is shared connects nobody. It costs no more than the links,
    whoever else is in the leads.
    """
    ends = ((changed[one], changed[other]) for one, other in links)
    connecting = ((one.lead, other.lead) for one, other in ends if not (one.shared or other.shared))
    group_of = connected({each.lead for each in changed.values()}, connecting)
    candidates = [*((head.id, head) for head in heads.values()), *((each.lead, each) for each in changed.values())]
    named_by = earliest_of((group_of[lead], each) for lead, each in candidates)
    return {lead: named_by[group] for lead, group in group_of.items()}


def merging(leads: Mapping[UUID, UUID]) -> dict[UUID, list[UUID]]:
    """Of leads by what they become those that become one with others, by what that is."""
    parts_of: dict[UUID, list[UUID]] = {}
    for old, new in leads.items():
        parts_of.setdefault(new, []).append(old)
    return {new: parts for new, parts in parts_of.items() if len(parts) > 1}


class Part(NamedTuple):
    """A lead that becomes one with others, and whose members are read to find the visitors in whom it meets them."""

    old: UUID
    new: UUID
    is_asked: bool
    """Whether such a visitor is concerned as long as he carried this one."""
    unread: UUID | None
    """The one among the others whose members are not read."""


def parts_to_read(merged: Mapping[UUID, Sequence[UUID]], sizes: Mapping[UUID, int]) -> list[Part]:
    """The parts of leads that merge, `sizes` being their counts of members up to `COUNTED`.

    Where two parts meet in a visitor, either tells when. So the largest is not asked; nor is it read where it is large,
    or larger than the others together: then its identifiers are looked for with the others' visitors. Of several that
    are large it is the one whose name stays; the others are relabelled whole in any case.
    """
    parts = []
    for new, olds in merged.items():
        largest = max(olds, key=lambda old: (sizes[old], old == new))
        is_large = sizes[largest] >= COUNTED or 2 * sizes[largest] > sum(sizes[old] for old in olds)
        unread = largest if is_large else None
        parts += [Part(old, new, old != largest, unread) for old in olds if old != unread]
    return parts


def connected(nodes: Iterable[UUID], links: Iterable[Pair]) -> dict[UUID, UUID]:
    """Each node's component, named by one of its nodes: union-find with path halving (Tarjan and van Leeuwen, 1984)."""
    parent = {node: node for node in nodes}

    def root(node: UUID) -> UUID:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for one, other in links:
        parent[root(one)] = root(other)
    return {node: root(node) for node in parent}


def earliest_of(grouped: Iterable[tuple[UUID, Identifier]]) -> dict[UUID, UUID]:
    """By group its identifier that was seen first, of several the one with the least value."""
    best: dict[UUID, Identifier] = {}
    for group, each in grouped:
        known = best.setdefault(group, each)
        if (each.first_at, each.value) < (known.first_at, known.value):
            best[group] = each
    return {group: each.id for group, each in best.items()}


def changed_leads(members: Mapping[UUID, Identifier], placed: Mapping[UUID, Placement]) -> set[UUID]:
    """The leads, by their new id, that have other people in them than before."""
    before: dict[UUID, set[UUID]] = {}
    after: dict[UUID, set[UUID]] = {}
    for identifier, member in members.items():
        before.setdefault(member.lead, set()).add(identifier)
        after.setdefault(placed[identifier].lead, set()).add(identifier)
    old_groups = set(map(frozenset, before.values()))
    return {lead for lead, group in after.items() if frozenset(group) not in old_groups}
