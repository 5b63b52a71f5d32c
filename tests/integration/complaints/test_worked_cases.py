"""The cases that other systems document, each with our answer."""

from typing import Any

import pytest

from tests.builders import GOOGLE_AD, NEWSLETTER, at, contact, form, page
from tests.closing import Loop
from tests.integration.complaints.telling import lead_at, login, people, tell, won

ANN, BOB, JANE = "email:ann@x.org", "email:bob@x.org", "email:jane@x.org"


async def test_a_known_address_with_a_new_user_id_is_still_the_same_person(loop: Loop) -> None:
    """Segment lets one user id a profile: it makes a second profile, and the address stays with the first."""
    seen = await tell(
        loop,
        login("A", "first", at(day=1), "abc123", email="jane@x.org"),
        login("B", "second", at(day=2), "abc456", email="jane@x.org"),
        won("7", at(day=3), "jane@x.org"),
    )
    assert seen.leads == people(f"{JANE} user:abc123 user:abc456")
    assert seen.owners == {"first": JANE, "second": JANE}
    assert seen.money == {"7": {"first": "50.00", "second": "50.00"}}


FIRST_DEVICE = [page("D1", "1", at("09:00")), page("D1", "2", at("09:01")), login("D1", "3", at("09:02"), "U1")]
SECOND_DEVICE = [
    page("D2", "4", at("09:00", day=2)),
    page("D2", "5", at("09:01", day=2)),
]


@pytest.mark.parametrize(
    ("events", "owners"),
    [
        pytest.param(FIRST_DEVICE, {"1": "user:U1"}, id="a: what came before the login is the user's"),
        pytest.param(
            [*FIRST_DEVICE, *SECOND_DEVICE, login("D2", "6", at("09:02", day=2), "U1")],
            {"1": "user:U1", "4": "user:U1"},
            id="b: so it is on a second device",
        ),
        pytest.param(
            [*FIRST_DEVICE, *SECOND_DEVICE, login("D2", "6", at("09:02", day=2), "U2")],
            {"1": "user:U1", "4": "user:U2"},
            id="c: a fresh cookie after the logout is the next user's",
        ),
        pytest.param(
            [
                *FIRST_DEVICE,
                page("D1", "anonymous", at("12:00")),
                *(page("D1", "just before", at("09:00", day=2)), login("D1", "6", at("09:01", day=2), "U2")),
                page("D1", "after", at(day=3)),
            ],
            {"1": "user:U1", "anonymous": "user:U1", "just before": "user:U2", "after": "user:U2"},
            id="d, which the documentation leaves open: without a logout each login keeps its own visits and the next",
        ),
    ],
)
async def test_the_flows_of_mixpanels_simplified_merge(
    loop: Loop, events: list[dict[str, Any]], owners: dict[str, str]
) -> None:
    assert (await tell(loop, *events)).owners == owners


async def test_alice_keeps_her_history_when_bob_uses_her_computer(loop: Loop) -> None:
    """Snowplow makes Bob a new id, and gives later anonymous events to a third, made-up one."""
    seen = await tell(
        loop,
        page("X", "ad", at("09:00"), GOOGLE_AD),
        form("X", "alice", at("09:01"), "ann@x.org"),
        form("X", "bob", at("09:02"), "bob@x.org"),
        page("X", "nobody says who", at(day=2), NEWSLETTER),
        won("of Alice", at(day=3), "ann@x.org"),
        won("of Bob", at(day=3), "bob@x.org"),
    )
    assert seen.leads == people(ANN, BOB)
    assert seen.owners == {"ad": ANN, "bob": BOB, "nobody says who": BOB}
    assert seen.money == {
        "of Alice": {"ad": "100.00"},
        "of Bob": {"bob": "50.00", "nobody says who": "50.00"},
    }


STANDS_FOR_NOTHING = [
    *("anonymous", "guest", "id", "undefined", "true", "false", "null", "none", "None", "NaN", "nan", "uNdEfInEd"),
    *("[object Object]", "0", "-1", "", "   ", "---", "00000000-0000-0000-0000-000000000000"),
    *("'null'", '"guest"', "\"'undefined'\"", True, 0),
]
"""Segment's and PostHog's, and what their spelling lets through."""


async def test_what_programs_send_for_nobody_joins_nobody(loop: Loop) -> None:
    seen = await tell(
        loop,
        *(
            form(f"visitor {place}{who}", f"{place}{who}", at(day=1), f"{who}{place}@x.org", user_id=value)
            for place, value in enumerate(STANDS_FOR_NOTHING)
            for who in ("ann", "bob")
        ),
        at_once=10,
    )
    assert [sorted(lead) for lead in seen.leads if len(lead) > 1] == []
    assert len(seen.leads) == len(seen.owners) == 2 * len(STANDS_FOR_NOTHING)


async def test_two_people_who_are_known_already_become_one_when_an_event_says_so(loop: Loop) -> None:
    """PostHog refuses to merge who is identified; at Mixpanel two user ids are never one person."""
    known = [
        *(page("v", "ad", at(day=1), GOOGLE_AD), login("v", "1", at("00:01", day=1), 1, email="ann@x.org")),
        *(page("w", "mail", at(day=2), NEWSLETTER), login("w", "2", at("00:01", day=2), 2, email="ann@home.org")),
        won("7", at(day=9), "ann@x.org"),
    ]
    seen = await tell(loop, *known)
    assert seen.leads == people(f"{ANN} user:1", "email:ann@home.org user:2")
    assert seen.money == {"7": {"ad": "100.00"}}
    seen = await tell(loop, *known, login(None, "alias", at(day=5), 2, previous_id=1))
    assert seen.leads == people(f"{ANN} user:1 email:ann@home.org user:2")
    assert seen.money == {"7": {"ad": "50.00", "mail": "50.00"}}
    assert await lead_at(loop, "user:2") == await lead_at(loop, ANN)


@pytest.mark.parametrize(
    ("count", "leads"),
    [(5, 1), (6, 7)],
    ids=["five people of one user are one", "with the sixth, seven"],
)
async def test_an_identifier_of_too_many_joins_nobody_at_all(loop: Loop, count: int, leads: int) -> None:
    """RudderStack refuses the one link too many, and keeps those that came before it."""
    office = [form(f"v{n}", f"{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, count + 1)]
    mailbox = [form(f"w{n}", f"w{n}", at(day=n), "info@x.org", user_id=n) for n in range(1, count + 1)]
    crm = [contact(f"c{n}", at(day=n), f"{n}", "sales@x.org", provider="hubspot") for n in range(1, count + 1)]
    seen = await tell(loop, *office, *mailbox, *crm, at_once=4)
    assert len(seen.leads) == 3 * leads
    if leads > 1:
        assert all(len(lead) == 1 for lead in seen.leads)
        assert seen.owners == {
            **{f"{n}": f"email:{n}@x.org" for n in range(1, count + 1)},
            **{f"w{n}": f"user:{n}" for n in range(1, count + 1)},
        }


async def test_no_person_has_too_many_cookies_or_names(loop: Loop) -> None:
    """Segment stops at 100 merges, Mixpanel's first merge at 500 devices, Adobe at 50 identities."""
    cookies = [form(f"v{n}", f"v{n}", at(day=1), "1@x.org") for n in range(520)]
    names = [login(None, f"{n}", at(day=2), n // 2, email=f"{(n + 1) // 2}@x.org") for n in range(2, 122)]
    seen = await tell(loop, *cookies, *names, at_once=40)
    assert [len(lead) for lead in seen.leads] == [121]
    assert set(seen.owners.values()) == {"email:10@x.org"}
    assert len(seen.owners) == 520


async def test_who_a_visitor_was_may_be_learned_at_any_age(loop: Loop) -> None:
    """RudderStack looks four days back for what came late."""
    visits = [page("v", "ad", at(day=1), GOOGLE_AD), page("v", "mail", at(day=20), NEWSLETTER)]
    deal = won("7", at(day=30), "ann@x.org")
    assert (await tell(loop, *visits, deal)).money == {"7": {None: "100.00"}}
    seen = await tell(loop, *visits, deal, form("v", "a year later", at(day=400), "ann@x.org"))
    assert seen.money == {"7": {"ad": "50.00", "mail": "50.00"}}
