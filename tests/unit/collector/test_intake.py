import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.answer import answer_taken
from collector.fields import FIELDS as FIELDS_OF_TYPES
from collector.intake import open_body, take
from collector.keys import Sender
from collector.refusal import RefusedError
from collector.strict_json import DEPTH
from schemas.codec import decode
from schemas.event import EventType
from schemas.examples import examples
from schemas.topics import TOPICS, key_of, topic_of
from tests.sending import accept, logged, make_request, refuse, send

PAGE = {"type": "pageview", "event_id": "e-1", "visitor_id": "v-1"}


def reason_of_body(body: bytes) -> tuple[str, int]:
    with pytest.raises(RefusedError) as caught:
        open_body(body)
    return caught.value.reason.name, caught.value.reason.status


@pytest.mark.parametrize("body", [PAGE, [PAGE], {"batch": [PAGE]}, {"batch": [PAGE], "context": {}}])
def test_events_come_alone_in_an_array_or_in_a_batch(body):
    assert [event["event_id"] for event in logged(send(body))] == ["e-1"]


def test_the_writekey_of_the_body_is_no_part_of_the_event():
    envelope = open_body(json.dumps(PAGE | {"writeKey": "the-write-key"}).encode())
    assert envelope.write_key == "the-write-key"
    assert envelope.items == [PAGE]
    assert open_body(b'{"writeKey": "k", "batch": [1]}').write_key == "k"


def test_an_event_may_have_a_field_named_batch():
    assert accept(PAGE | {"batch": [1, 2]})["batch"] == [1, 2]


@pytest.mark.parametrize(
    ("body", "reason", "status"),
    [
        (b"", "invalid_json", 400),
        (b"[]", "batch_empty", 400),
        (b'{"batch":[]}', "batch_empty", 400),
        (json.dumps([PAGE] * 501).encode(), "batch_too_long", 413),
        (b"\xff", "invalid_utf8", 400),
    ],
)
def test_a_body_without_events_is_refused_whole(body, reason, status):
    assert reason_of_body(body) == (reason, status)


@pytest.mark.parametrize("item", [None, 1, "pageview", True, [], [PAGE]])
def test_what_is_no_object_is_no_event(item):
    assert refuse(item) == "not_an_object"


def test_500_events_are_taken_at_once():
    taken = send([PAGE | {"event_id": f"e-{number}"} for number in range(500)])
    assert (taken.accepted, len(taken.records["events"])) == (500, 500)


def test_in_a_batch_the_good_are_accepted_and_each_bad_one_is_named():
    good = json.dumps(PAGE).encode()
    bad = [b'{"type":"pageview","x":NaN}', b'{"type":"pageview","x":"\\ud800"}', b"7", b'{"type":"hit"}', b"{}"]
    taken = send(b"[" + b",".join([good, *bad, good]) + b"]")
    assert taken.accepted == 2
    assert [(rejection.index, rejection.reason.name) for rejection in taken.rejected] == [
        (1, "not_finite"),
        (2, "lone_surrogate"),
        (3, "not_an_object"),
        (4, "type_unknown"),
        (5, "type_missing"),
    ]


def test_an_event_has_at_most_32_kilobytes_whatever_stands_around_it():
    frame = len(json.dumps(PAGE | {"title": ""}, separators=(",", ":")))
    largest = PAGE | {"title": "x" * (32 * 1024 - frame)}
    assert accept(largest)["title"] == largest["title"]
    assert refuse(largest | {"title": largest["title"] + "x"}) == "event_too_large"
    taken = send([largest, largest | {"more": 1}, PAGE])
    assert [rejection.index for rejection in taken.rejected] == [1]


def test_numbers_that_grow_when_written_out_do_not_slip_under_the_cap():
    numbers = b",".join([b"1e15"] * 2000)
    assert send(b'[{"type":"pageview","properties":{"n":[' + numbers + b"]}}]").rejected[0].reason.name == (
        "event_too_large"
    )


def test_deals_and_contacts_go_to_their_own_topic_in_the_order_of_the_body():
    deal = {"type": "deal", "provider": "crm", "deal_id": "7", "stage": "open"}
    contact = {"type": "contact", "provider": "crm", "contact_id": "1"}
    taken = send([PAGE, deal, contact, deal | {"stage": "lost"}], sender=Sender.admin)
    assert [key for key, _ in taken.records["events"]] == [b"visitor:v-1"]
    assert [key for key, _ in taken.records["deals"]] == [b"deal:crm:7", b"provider:crm", b"deal:crm:7"]


@pytest.mark.parametrize("name", examples())
def test_every_example_is_accepted_and_read_back_as_it_was_sent(name):
    example = examples()[name]
    taken = send(example, sender=Sender.admin)
    assert_consumable(taken)
    [event] = logged(taken)
    assert event["type"] == example["type"]
    assert event["event_id"] == example.get("event_id", event["event_id"])


def assert_consumable(taken: Any) -> None:
    """Every record can be read by a consumer, and lies where the schemas put it."""
    for topic, records in taken.records.items():
        for key, value in records:
            event, _ = decode(value)
            assert key == key_of(event)
            assert topic == topic_of(event.type).name
            event.person.identifiers()
    assert set(taken.records) <= {topic.name for topic in TOPICS}


TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "2026-03-01T09:30:00Z",
        "2026-03-01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60Z",
        "undefined",
        "ann@example.org",
        "user:42",
        "won",
        "EUR",
        "12.50",
        "1e999999",
        "email",
        "loop.js",
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53, -(2**53), 2**53 - 1, 0, -0.0])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from([*map(str, EventType), "hit"])
NAMES = [field for fields in FIELDS_OF_TYPES.values() for field in fields] + [
    *("person", "traits", "received_at", "address", "batch", "writeKey", "is_hit", "model_config")
]
ANSWERS = st.sampled_from([True, False, None])
CONSENT = st.fixed_dictionaries({}, optional={"analytics": ANSWERS, "marketing": ANSWERS, "x": JSON})
CONTACTS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"email": TEXT | st.none(), "contact_id": TEXT | NUMBERS | st.none(), "x": JSON}
    ),
    max_size=3,
)
FORM = st.fixed_dictionaries(
    {},
    optional={
        "fields": st.dictionaries(st.sampled_from(["email", "Email", "mail", "x"]), JSON),
        "email_fields": st.lists(st.sampled_from(["x", "email"]), max_size=2),
    },
)
DEALS = st.fixed_dictionaries(
    {"type": st.just("deal"), "deal_id": TEXT, "stage": st.sampled_from(["open", "won", "lost", "deleted"])},
    optional={
        "provider": TEXT,
        "amount": TEXT | NUMBERS,
        "currency": st.sampled_from(["EUR", "jpy", "XXX"]),
        "created_at": TEXT,
        "closed_at": TEXT,
        "updated_at": TEXT,
        "contacts": CONTACTS,
    },
)
SHAPED = st.fixed_dictionaries(
    {"type": TYPES},
    optional={"visitor_id": TEXT, "user_id": TEXT | NUMBERS, "consent": CONSENT, "contacts": CONTACTS, "form": FORM},
)
LOOSE = st.builds(lambda fields, kind: {**fields, "type": kind}, st.dictionaries(st.sampled_from(NAMES), JSON), TYPES)
EVENTS = LOOSE | SHAPED | DEALS | JSON


@settings(max_examples=400, deadline=None)
@given(items=st.lists(EVENTS, min_size=1, max_size=4), admin=st.booleans(), tracker=st.booleans(), gpc=st.booleans())
def test_whatever_is_sent_what_is_accepted_can_be_consumed_and_the_rest_is_named(items, admin, tracker, gpc):
    taken = send(
        json.dumps(items).encode(),
        tracker=tracker,
        sender=Sender.admin if admin else Sender.site,
        refused_by_signal=gpc,
    )
    assert_consumable(taken)
    assert taken.accepted + len(taken.rejected) == len(items)
    assert "invalid_event" not in {rejection.reason.name for rejection in taken.rejected}
    json.loads(answer_taken(taken).body)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_body_it_is_opened_or_refused_by_name(body):
    try:
        envelope = open_body(body)
    except RefusedError as refused:
        status = refused.reason.status
    else:
        taken = take(envelope, make_request(), None)
        assert taken.accepted + len(taken.rejected) == len(envelope.items)
        status = answer_taken(taken).status
    assert status in {202, 400, 403, 413}


def test_the_cap_on_depth_holds_for_every_shape():
    nested: Any = 0
    for _ in range(DEPTH - 1):
        nested = [nested]
    assert accept(PAGE | {"properties": {"x": 0}, "x": nested})["x"] == nested
    assert refuse(PAGE | {"x": [nested]}) == "too_deep"
