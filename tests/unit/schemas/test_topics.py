"""Which topic an event goes to, within what its id is unique, and what keeps its order."""

from typing import Any

import pytest

from schemas.codec import model_of
from schemas.event import HITS, EventType
from schemas.topics import DEALS, EVENTS, key_of, scope_of, topic_of
from tests.builders import at, contact, deal, form, make_event, page


@pytest.mark.parametrize(
    ("payload", "scope"),
    [
        pytest.param(page("v1", "e", at()), "visitor:v1", id="a hit: its visitor"),
        pytest.param(form("v1", "e", at(), "ann@x.org"), "visitor:v1", id="a form on a cookie: its visitor"),
        pytest.param(
            form(None, "e", at(), "Ann@X.org", user_id="42"), "email:ann@x.org", id="without a cookie: its e-mail"
        ),
        pytest.param(make_event("identify", "e", at(), user_id=42, previous_id=41), "user:42", id="else its user id"),
        pytest.param(make_event("identify", "e", at(), previous_id=41), "user:41", id="else its previous id"),
        pytest.param(
            make_event("identify", "e", at(), email="null", user_id="null"), "type:identify", id="blocked: its type"
        ),
        pytest.param(make_event("email_open", "e", at()), "type:email_open", id="nobody's: its type"),
        pytest.param(deal("7", "e", at()), "provider:webhook", id="a deal: its provider"),
        pytest.param(deal("7", "e", at(), provider="hubspot"), "provider:hubspot", id="a deal of a named provider"),
        pytest.param(contact("e", at(), "9", "ann@x.org"), "provider:webhook", id="a contact: its provider"),
    ],
)
def test_an_event_id_is_unique_within_a_scope(payload: dict[str, Any], scope: str) -> None:
    assert scope_of(model_of(payload)) == scope


def test_all_versions_of_a_deal_stay_in_order() -> None:
    versions = [deal("7", f"e{number}", at(day=number), provider="hubspot") for number in (1, 2)]
    assert {key_of(model_of(version)) for version in versions} == {b"deal:hubspot:7"}


def test_all_hits_of_a_visitor_stay_in_order() -> None:
    assert key_of(model_of(page("v", "1", at()))) == key_of(model_of(form("v", "2", at(), "ann@x.org"))) == b"visitor:v"


def test_deals_and_contacts_have_a_topic_of_their_own() -> None:
    assert {kind: topic_of(kind) for kind in EventType if topic_of(kind) != EVENTS} == {
        EventType.deal: DEALS,
        EventType.contact: DEALS,
    }


@pytest.mark.parametrize("kind", list(EventType))
def test_only_what_a_visitor_does_is_a_hit(kind: EventType) -> None:
    hits = {"pageview", "form", "identify", "click", "download", "video", "custom"}
    unlink = make_event("unlink", "e", at(), a="user:1", b="user:2")
    spend = make_event("spend", "e", at(), date="2026-03-01", amount="1", currency="EUR")
    rate = make_event("rate", "e", at(), **{"date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9"})
    given = (contact("e", at(), "9", "ann@x.org"), deal("7", "e", at()), unlink, spend, rate)
    payload = {each["type"]: each for each in given}.get(kind, make_event(kind, "e", at()))
    assert (model_of(payload).type in HITS) == (kind in hits)
