"""What a batch of events says of identifiers, pairs and hits; sets, so that no order and no repetition matters."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.facts import Facts, facts_of
from schemas.canonical import event_rank
from schemas.event import HITS
from schemas.identifier import identifier_id
from tests.builders import (
    GOOGLE,
    GOOGLE_AD,
    ID_KEY,
    INSIDE,
    RECEIVED,
    SITE,
    at,
    contact,
    deal,
    delivery,
    form,
    make_event,
    page,
)

PEOPLE = [{"email": "ann@x.org", "contact_id": 9}, {"email": "ben@x.org"}]


def say(*payloads: dict[str, Any]) -> Facts:
    deliveries = map(delivery, payloads)
    return facts_of(((each.event, each.body) for each in deliveries), ID_KEY, ("shop-blog.example",))


def named(facts: Facts) -> tuple[set[str], set[frozenset[str]]]:
    """The identifiers and the pairs, as values."""
    values = {seen.id: seen.value for seen in facts.seen}
    return set(values.values()), {frozenset(values[end] for end in pair) for pair in facts.pairs}


@pytest.mark.parametrize(
    ("payload", "identifiers", "pairs"),
    [
        pytest.param(page("v", "e", at()), set(), [], id="a page view names nobody"),
        pytest.param(form("v", "e", at(), "Ann@X.org"), {"email:ann@x.org"}, [], id="a form"),
        pytest.param(
            form(None, "e", at(), "ann@x.org"), {"email:ann@x.org"}, [], id="a form without a cookie makes a lead too"
        ),
        pytest.param(
            form("v", "e", at(), "ann@x.org", user_id=42),
            {"email:ann@x.org", "user:42"},
            [{"email:ann@x.org", "user:42"}],
            id="both in one event",
        ),
        pytest.param(
            make_event("identify", "e", at(), email="ann@x.org", user_id=42, previous_id="41"),
            {"email:ann@x.org", "user:42", "user:41"},
            [{"email:ann@x.org", "user:42"}, {"email:ann@x.org", "user:41"}, {"user:42", "user:41"}],
            id="each with each",
        ),
        pytest.param(
            make_event("identify", "e", at(), user_id=42, previous_id="42"),
            {"user:42"},
            [],
            id="nobody is paired with himself",
        ),
        pytest.param(
            form("v", "e", at(), "ann@x.org", user_id="undefined"),
            {"email:ann@x.org"},
            [],
            id="a blocked value is no identifier",
        ),
        pytest.param(
            contact("e", at(), "9", "ann@x.org"),
            {"crm:webhook:9", "email:ann@x.org"},
            [{"crm:webhook:9", "email:ann@x.org"}],
            id="a CRM's contact",
        ),
        pytest.param(
            deal("7", "e", at(), provider="hubspot", contacts=PEOPLE),
            {"email:ann@x.org", "crm:hubspot:9", "email:ben@x.org"},
            [{"email:ann@x.org", "crm:hubspot:9"}],
            id="a deal connects only within each of its contacts",
        ),
        pytest.param(
            make_event("email_open", "e", at(), email="ann@x.org"), {"email:ann@x.org"}, [], id="an opened e-mail"
        ),
        pytest.param(
            make_event("unlink", "e", at(), a="email:ann@x.org", b="user:42"), set(), [], id="unlink sees nobody"
        ),
        pytest.param(make_event("erase", "e", at(), email="ann@x.org"), set(), [], id="erase sees nobody"),
    ],
)
def test_whom_an_event_names_and_connects(
    payload: dict[str, Any], identifiers: set[str], pairs: list[set[str]]
) -> None:
    assert named(say(payload)) == (identifiers, set(map(frozenset, pairs)))


def test_an_identifier_is_first_seen_when_the_earliest_event_carried_it() -> None:
    facts = say(*(form("v", f"e{day}", at(day=day), "ann@x.org") for day in (3, 1, 2)))
    assert [seen.first_at for seen in facts.seen] == [at(day=1)]


def test_hits_carry_their_identifiers_in_the_order_in_which_they_name_a_lead() -> None:
    [fact] = say(form("v", "e", at(), "ann@x.org", user_id=42, previous_id=41)).hits
    names = ["email:ann@x.org", "user:42", "user:41"]
    assert fact.identifiers == [identifier_id(value, ID_KEY) for value in names]


@pytest.mark.parametrize(
    ("kind", "is_hit"),
    [
        *((kind, True) for kind in ("pageview", "form", "identify", "click", "download", "video", "custom")),
        *((kind, False) for kind in ("email_open", "touch", "spend", "rate", "unlink", "erase")),
    ],
)
def test_which_events_are_hits(kind: str, is_hit: bool) -> None:
    pair: dict[str, Any] = {
        "unlink": {"a": "user:1", "b": "user:2"},
        "spend": {"date": "2026-03-01", "amount": "1", "currency": "EUR"},
        "rate": {"date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9"},
    }.get(kind, {})
    given = delivery(make_event(kind, "e", at(), visitor_id="v", **pair))
    assert (given.event.type in HITS) is is_hit
    assert say(make_event(kind, "e", at(), **pair)).hits == [], "without a visitor there is no visit"
    [record] = say(make_event(kind, "e", at(), visitor_id="v", **pair)).hits
    assert record.type == kind, "it takes its event id, hit or not"


@pytest.mark.parametrize(
    ("fields", "channel", "internal", "only_referrer"),
    [
        pytest.param({"url": SITE}, None, False, True, id="nobody sent it"),
        pytest.param({"url": GOOGLE_AD}, "Paid Search", False, False, id="a tagged link"),
        pytest.param({"url": SITE, "referrer": GOOGLE}, "Organic Search", False, True, id="a referrer alone"),
        pytest.param({"url": SITE + "?gclid=1", "referrer": GOOGLE}, "Paid Search", False, False, id="a paid click id"),
        pytest.param(
            {"url": SITE + "?fbclid=1", "referrer": GOOGLE}, "Organic Search", False, True, id="fbclid proves nothing"
        ),
        pytest.param({"url": SITE, "referrer": INSIDE}, None, True, True, id="inside"),
        pytest.param(
            {"url": SITE, "referrer": "https://www.shop-blog.example/a"}, None, True, True, id="an own domain"
        ),
        pytest.param({"url": GOOGLE_AD, "referrer": INSIDE}, "Paid Search", True, False, id="a tagged link inside"),
    ],
)
def test_what_a_hit_brings(fields: dict[str, Any], channel: str | None, internal: bool, only_referrer: bool) -> None:
    [fact] = say(make_event("pageview", "e", at(), visitor_id="v", **fields)).hits
    assert (fact.channel, fact.internal, fact.only_referrer) == (channel, internal, only_referrer)


def test_the_same_event_received_twice_is_one_fact_and_another_body_is_another() -> None:
    event = page("v", "e", at())
    facts = say(event, {**event, "received_at": RECEIVED.replace("06-01", "06-02")}, {**event, "title": "Shoes"})
    assert sorted(fact.rank for fact in facts.hits) == sorted(
        [event_rank(event), event_rank({**event, "title": "Shoes"})]
    )


EVENTS = [
    *(page("v", f"p{day}", at(day=day)) for day in (1, 2)),
    page("v", "p1", at(day=2), GOOGLE_AD),
    *(form(visitor, "f", at(day=day), "ann@x.org", user_id=42) for visitor, day in (("v", 1), ("w", 2), ("v", 3))),
    contact("c", at(), "9", "ann@x.org"),
    deal("7", "d", at(), contacts=PEOPLE),
]


@given(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=20))
def test_facts_are_sets(events: list[dict[str, Any]]) -> None:
    distinct = [event for event in EVENTS if event in events]
    assert say(*events) == say(*distinct)
