"""Who is one person: what connects identifiers, and what is shared by too many to connect anybody."""

from collections.abc import Iterable
from itertools import combinations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.components import (
    COUNTED,
    Identifier,
    changed_leads,
    joined,
    merging,
    parts_to_read,
    place,
    possibly_shared,
)
from schemas.identifier import identifier_id
from tests.builders import ID_KEY, at

ANN, ANN_HOME, BEN, USER, OLD_USER, CONTACT = (
    *("email:ann@x.org", "email:ann@home.org", "email:ben@x.org", "user:42", "user:41", "crm:hubspot:9"),
)


def name(value: str) -> UUID:
    return identifier_id(value, ID_KEY)


def known(values: Iterable[str]) -> dict[UUID, Identifier]:
    """Each seen one minute after the one before, alone until now."""
    return {
        name(value): Identifier(name(value), value, at(f"00:{minute:02}"), name(value), shared=False)
        for minute, value in enumerate(values)
    }


def pairs_of(*events: Iterable[str]) -> set[tuple[UUID, UUID]]:
    """What these events, each a list of identifiers, connect."""
    return {(min(p), max(p)) for event in events for p in combinations(map(name, event), 2)}


def leads_of(*events: list[str]) -> set[frozenset[str]]:
    """The leads after these events, as sets of identifiers."""
    members = known(dict.fromkeys(value for event in events for value in event))
    groups: dict[UUID, set[str]] = {}
    for identifier, placement in place(members, {}, pairs_of(*events)).items():
        groups.setdefault(placement.lead, set()).add(members[identifier].value)
    return set(map(frozenset, groups.values()))


def shared_of(*events: list[str]) -> set[str]:
    members = known(dict.fromkeys(value for event in events for value in event))
    return {
        members[each].value for each, placement in place(members, {}, pairs_of(*events)).items() if placement.shared
    }


def mails(count: int) -> list[str]:
    return [f"email:{number}@x.org" for number in range(count)]


@pytest.mark.parametrize(
    ("events", "leads"),
    [
        pytest.param([[ANN]], [{ANN}], id="one address is one person"),
        pytest.param([[ANN], [BEN]], [{ANN}, {BEN}], id="two addresses are two people"),
        pytest.param([[ANN, USER]], [{ANN, USER}], id="one event carries both"),
        pytest.param([[ANN, USER], [USER, ANN_HOME]], [{ANN, USER, ANN_HOME}], id="a user id with two addresses"),
        pytest.param([[USER, OLD_USER], [OLD_USER, ANN]], [{USER, OLD_USER, ANN}], id="an alias"),
        pytest.param(
            [[CONTACT, ANN], [CONTACT, ANN_HOME]], [{CONTACT, ANN, ANN_HOME}], id="a contact keeps its old address"
        ),
        pytest.param([[ANN, USER], [BEN, CONTACT]], [{ANN, USER}, {BEN, CONTACT}], id="nothing in common"),
    ],
)
def test_identifiers_that_one_event_carries_are_one_lead(events: list[list[str]], leads: list[set[str]]) -> None:
    assert leads_of(*events) == set(map(frozenset, leads))


def partners(of: str, with_: Iterable[str]) -> list[list[str]]:
    return [[of, other] for other in with_]


@pytest.mark.parametrize(
    ("events", "shared"),
    [
        pytest.param(partners(USER, mails(5)), set(), id="a user id with five addresses is still one person's"),
        pytest.param(partners(USER, mails(6)), {USER}, id="with six it is an office's"),
        pytest.param(partners(CONTACT, mails(6)), {CONTACT}, id="a contact with six addresses"),
        pytest.param(partners(ANN, [f"user:{n}" for n in range(5)]), set(), id="an address with five user ids"),
        pytest.param(
            partners(ANN, [f"user:{n}" for n in range(6)]),
            {ANN},
            id="an address with six user ids is a mailbox of many",
        ),
        pytest.param(
            partners(ANN, [f"crm:hubspot:{n}" for n in range(6)]), {ANN}, id="an address with six contacts of one CRM"
        ),
        pytest.param(
            partners(ANN, [*(f"crm:hubspot:{n}" for n in range(5)), *(f"crm:pipedrive:{n}" for n in range(5))]),
            set(),
            id="five contacts in each of two CRMs",
        ),
        pytest.param(
            partners(ANN, [*(f"user:{n}" for n in range(3)), *(f"crm:hubspot:{n}" for n in range(3))]),
            set(),
            id="user ids and contacts are counted apart",
        ),
        pytest.param(partners(USER, [f"user:{n}" for n in range(6)]), set(), id="aliases are no addresses"),
        pytest.param(
            partners(USER, [f"crm:hubspot:{n}" for n in range(6)]), set(), id="contacts of a user id are no addresses"
        ),
        pytest.param(partners(USER, mails(1) * 6), set(), id="one address six times is one"),
    ],
)
def test_what_too_many_are_seen_with_is_shared(events: list[list[str]], shared: set[str]) -> None:
    assert shared_of(*events) == shared


def test_a_shared_login_connects_nobody() -> None:
    assert leads_of(*partners(USER, mails(6))) == {frozenset({value}) for value in [USER, *mails(6)]}


def test_who_shares_a_login_stays_connected_by_other_links() -> None:
    leads = leads_of(*partners(USER, mails(6)), [mails(2)[0], CONTACT], [mails(2)[1], CONTACT])
    assert frozenset({*mails(2), CONTACT}) in leads


def test_what_is_shared_is_judged_over_all_pairs_before_any_is_dropped() -> None:
    # The address has six user ids, one of which is an office's: both are shared, whichever one looks at first.
    many = [f"user:{number}" for number in range(6)]
    assert shared_of(*partners(ANN, many), *partners(many[0], mails(6))) == {ANN, many[0]}


def test_partners_outside_of_the_lead_are_counted() -> None:
    members, outsiders = known([USER, *mails(3)]), known(mails(6)[3:])
    placed = place(members, outsiders, pairs_of(*partners(USER, mails(6))))
    assert {members[each].value for each in members if placed[each].shared} == {USER}
    assert placed.keys() == members.keys()


def test_what_is_shared_stays_shared_without_its_pairs_being_counted_again() -> None:
    members = known([USER, *mails(2)])
    members[name(USER)] = members[name(USER)]._replace(shared=True)
    placed = place(members, {}, pairs_of(*partners(USER, mails(2))))
    assert {members[each].value for each in members if placed[each].shared} == {USER}
    assert len({placement.lead for placement in placed.values()}) == 3


def test_a_lead_is_named_by_its_earliest_identifier() -> None:
    placed = place(known([BEN, USER, ANN]), {}, pairs_of([ANN, USER, BEN]))
    assert {placement.lead for placement in placed.values()} == {name(BEN)}


def test_of_identifiers_first_seen_together_the_lesser_names_the_lead() -> None:
    together = {
        name(value): Identifier(name(value), value, at(), name(value), shared=False) for value in (USER, ANN, CONTACT)
    }
    placed = place(together, {}, pairs_of([ANN, USER, CONTACT]))
    assert {placement.lead for placement in placed.values()} == {name(CONTACT)}


VALUES = [*mails(8), *(f"user:{number}" for number in range(8)), *(f"crm:hubspot:{number}" for number in range(3))]
EVENTS = st.lists(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique=True), min_size=1, max_size=25)


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_events_makes_no_other_leads(events: list[list[str]], random: Random) -> None:
    members = known(sorted({value for event in events for value in event}))
    shuffled = random.sample(events, len(events))
    again = place(dict(random.sample(list(members.items()), len(members))), {}, pairs_of(*shuffled))
    assert again == place(members, {}, pairs_of(*events))


@given(EVENTS)
def test_two_identifiers_are_one_lead_if_a_chain_of_pairs_joins_them_past_all_that_is_shared(
    events: list[list[str]],
) -> None:
    shared = shared_of(*events)
    joined = [{value} for value in dict.fromkeys(value for event in events for value in event)]
    for event in events:
        for pair in combinations(event, 2):
            if not shared & set(pair):
                touched = [group for group in joined if group & set(pair)]
                joined = [group for group in joined if group not in touched] + [set().union(*touched)]
    assert leads_of(*events) == set(map(frozenset, joined))


def placed_as(*leads: list[str]) -> dict[UUID, Identifier]:
    """Identifiers as an earlier decision left them: in these leads, each named by its first."""
    return {
        name(value): Identifier(name(value), value, at(), name(lead[0]), shared=False)
        for lead in leads
        for value in lead
    }


@pytest.mark.parametrize(
    ("before", "events", "changed"),
    [
        pytest.param([[ANN], [USER]], [[ANN, USER]], {ANN}, id="two leads become one"),
        pytest.param([[ANN, USER]], [[ANN, USER]], set(), id="nothing new"),
        pytest.param([[USER, ANN]], [[ANN, USER]], set(), id="a new name is not new people"),
        pytest.param([[ANN, USER]], [], {ANN, USER}, id="one lead becomes two"),
        pytest.param([[ANN, BEN, USER]], [[ANN, BEN]], {ANN, USER}, id="one leaves"),
        pytest.param([[ANN, USER], [BEN, CONTACT]], [[ANN, USER], [BEN, CONTACT]], set(), id="two that stay"),
    ],
)
def test_a_lead_changes_when_other_people_are_in_it(
    before: list[list[str]], events: list[list[str]], changed: set[str]
) -> None:
    members = placed_as(*before)
    told = changed_leads(members, place(members, {}, pairs_of(*events)))
    assert {members[lead].value for lead in told} == changed


@pytest.mark.parametrize(
    ("pair", "judged"),
    [
        pytest.param([ANN, USER], {ANN, USER}, id="an address with a user id"),
        pytest.param([ANN, CONTACT], {ANN, CONTACT}, id="an address with a contact"),
        pytest.param([ANN, BEN], set(), id="two addresses"),
        pytest.param([USER, OLD_USER], set(), id="an alias"),
        pytest.param([USER, CONTACT], set(), id="a user id with a contact"),
        pytest.param([ANN, "user:office"], {ANN}, id="who is shared is not judged again"),
    ],
)
def test_only_a_pair_of_an_address_and_something_else_can_make_one_shared(pair: list[str], judged: set[str]) -> None:
    identifiers = known([ANN, BEN, USER, OLD_USER, CONTACT, "user:office"])
    identifiers[name("user:office")] = identifiers[name("user:office")]._replace(shared=True)
    assert possibly_shared(identifiers, pairs_of(pair)) == {name(value) for value in judged}


USERS = [f"user:{number}" for number in range(8)]
ALIASES = st.lists(st.lists(st.sampled_from(USERS), min_size=1, max_size=3, unique=True), max_size=8)


@given(ALIASES, ALIASES, st.sets(st.sampled_from(USERS)), st.sets(st.sampled_from(USERS), max_size=2))
def test_links_join_leads_just_as_if_all_had_been_decided_anew(
    before: list[list[str]], links: list[list[str]], seen_earlier: set[str], shared: set[str]
) -> None:
    """Also where some turn out to have been seen earlier, and where some are shared."""
    alone = {each: member._replace(shared=member.value in shared) for each, member in known(USERS).items()}
    stood = place(alone, {}, pairs_of(*before))
    now = {
        each: member._replace(
            lead=stood[each].lead,
            first_at=at() if member.value in seen_earlier else at(day=2) + (member.first_at - at()),
        )
        for each, member in alone.items()
    }
    touched = {name(value) for value in seen_earlier.union(*links)}
    heads = {now[each].lead for each in touched} - touched
    became = joined({each: now[each] for each in touched}, {head: now[head] for head in heads}, pairs_of(*links))
    decided = place(now, {}, pairs_of(*before, *links))
    assert {each: became.get(member.lead, member.lead) for each, member in now.items()} == {
        each: placement.lead for each, placement in decided.items()
    }


def test_leads_that_become_one_are_those_that_come_under_one_name() -> None:
    assert merging({name(ANN): name(ANN), name(USER): name(ANN), name(BEN): name(CONTACT)}) == {
        name(ANN): [name(ANN), name(USER)]
    }


@pytest.mark.parametrize(
    ("sizes", "read", "asked"),
    [
        pytest.param({ANN: 3, USER: 1}, {USER}, {USER}, id="the larger is not read"),
        pytest.param({ANN: 1, USER: 3}, {ANN}, {ANN}, id="also where the smaller gives its name"),
        pytest.param({ANN: 2, USER: 2}, {ANN, USER}, {USER}, id="of two alike both are read and one is asked"),
        pytest.param({ANN: 2, USER: 3, BEN: 2}, {ANN, USER, BEN}, {ANN, BEN}, id="no larger than the others together"),
        pytest.param({ANN: 2, USER: 5, BEN: 2}, {ANN, BEN}, {ANN, BEN}, id="larger than the others together"),
        pytest.param({USER: COUNTED, BEN: COUNTED - 1, CONTACT: 9}, {BEN, CONTACT}, {BEN, CONTACT}, id="a large one"),
        pytest.param(
            {USER: COUNTED, ANN: COUNTED}, {USER}, {USER}, id="of large ones all but the one that gives its name"
        ),
    ],
)
def test_of_leads_that_become_one_the_larger_part_is_not_read(
    sizes: dict[str, int], read: set[str], asked: set[str]
) -> None:
    """Ann gives her name, where she is among them."""
    counts, new = {name(value): size for value, size in sizes.items()}, name(ANN if ANN in sizes else BEN)
    parts = parts_to_read({new: list(counts)}, counts)
    assert {part.old for part in parts} == {name(value) for value in read}
    assert {part.old for part in parts if part.is_asked} == {name(value) for value in asked}
    assert {(part.new, part.unread) for part in parts} == {
        (new, next(iter(counts.keys() - {p.old for p in parts}), None))
    }
