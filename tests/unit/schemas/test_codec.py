"""Events in the log: read as they were written, and what cannot be read says where."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.codec import UndecodableError, decode, encode
from schemas.deal import ContactEvent, DealEvent
from schemas.instant import FIRST, LAST
from tests.builders import at, contact, deal, form, page


@pytest.mark.parametrize(
    ("payload", "model"),
    [
        (form("v", "e", at("09:30"), "ann@x.org"), "Event"),
        (deal("7", "e", at(), contacts=[{"email": "ann@x.org"}]), DealEvent.__name__),
        (contact("e", at(), "9", "ann@x.org"), ContactEvent.__name__),
    ],
)
def test_an_event_is_read_as_it_was_written(payload: dict[str, Any], model: str) -> None:
    event, body = decode(encode(payload))
    assert body == payload
    assert type(event).__name__ == model
    assert event.event_id == "e"


def test_fields_that_we_do_not_know_are_kept() -> None:
    event, body = decode(encode(page("v", "e", at(), plan={"name": "gold"})))
    assert body["plan"] == {"name": "gold"}
    assert event.model_extra == {"plan": {"name": "gold"}}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T09:30:00.123456Z", datetime(2026, 3, 1, 9, 30, 0, 123456, UTC)),
        ("2026-03-01T00:30:00+01:00", datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", FIRST),
        ("9999-12-31T23:59:59.999999Z", LAST),
    ],
)
def test_an_event_happened_at_an_instant_in_utc(written: str, read: datetime) -> None:
    event, _ = decode(encode({**page("v", "e", at()), "occurred_at": written}))
    assert event.occurred_at == read
    assert event.occurred_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "reason", "place"),
    [
        (b"", "invalid_json", "."),
        (b"{", "invalid_json", "."),
        (b"\xff", "invalid_json", "."),
        (b"[]", "not_an_event", "."),
        (b'{"v":1,"event":[]}', "not_an_event", "."),
        (b'{"v":2,"event":{}}', "unknown_version", "2"),
        (b'{"event":{}}', "unknown_version", "None"),
        (encode({}), "invalid_event", "event_id"),
        (encode({**page("v", "e", at()), "event_id": ""}), "invalid_event", "event_id"),
        (encode({**page("v", "e", at()), "event_id": "x" * 129}), "invalid_event", "event_id"),
        (encode({**page("v", "e", at()), "visitor_id": ""}), "invalid_event", "visitor_id"),
        (encode({**page("v", "e", at()), "type": "wish"}), "invalid_event", "type"),
        (encode({**page("v", "e", at()), "type": ["deal"]}), "invalid_event", "type"),
        (encode({**page("v", "e", at()), "occurred_at": "2026-01-01T00:00:00"}), "invalid_event", "occurred_at"),
        (encode({**page("v", "e", at()), "received_at": "2026-01-01T00:00:00"}), "invalid_event", "received_at"),
        (encode({**page("v", "e", at()), "properties": []}), "invalid_event", "properties"),
        (encode(deal("7", "e", at(), amount="1,50")), "invalid_event", "decimal"),
        (encode(deal("7", "e", at(), stage="gone")), "invalid_event", "stage"),
        (encode(deal("7", "e", at(), contacts=[{"email": 7}])), "invalid_event", "person.contacts.0.email"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(value: bytes, reason: str, place: str) -> None:
    with pytest.raises(UndecodableError, match=place) as caught:
        decode(value)
    assert caught.value.reason == reason


@pytest.mark.parametrize("word", [True, False])
def test_true_is_nobodys_user_id(word: bool) -> None:
    event, _ = decode(encode(form("v", "e", at(), "ann@x.org", user_id=word)))
    assert event.person.identifiers() == ("email:ann@x.org",)
