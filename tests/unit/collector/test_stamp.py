from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from collector.keys import Sender
from collector.stamp import network_of, visitor_for
from tests.sending import ID_KEY, RECEIVED, accept, logged, refuse, send

PAGE = {"type": "pageview", "url": "https://shop.example/"}


@pytest.mark.parametrize(
    ("times", "occurred_at"),
    [
        ({}, "2026-03-01T12:00:00.000000Z"),
        ({"occurred_at": None}, "2026-03-01T12:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T09:30:00Z"}, "2026-03-01T09:30:00.000000Z"),
        ({"occurred_at": "2026-03-01T09:30:00+05:30"}, "2026-03-01T04:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T09:30:00.123456789Z"}, "2026-03-01T09:30:00.123456Z"),
        ({"occurred_at": "2016-12-31T23:59:60Z"}, "2016-12-31T23:59:59.999999Z"),
        ({"occurred_at": "1970-01-01T00:00:00Z"}, "1970-01-01T00:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T12:05:00Z"}, "2026-03-01T12:05:00.000000Z"),
        ({"occurred_at": "2026-03-01T12:05:00.000001Z"}, "2026-03-01T12:00:00.000000Z"),
        ({"occurred_at": "9999-12-31T23:59:59Z"}, "2026-03-01T12:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T09:00:00Z", "sent_at": "2026-03-01T10:00:00Z"}, "2026-03-01T11:00:00.000000Z"),
        ({"occurred_at": "2036-03-01T09:00:00Z", "sent_at": "2036-03-01T10:00:00Z"}, "2026-03-01T11:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T09:00:00Z", "sentAt": "2026-03-01T10:00:00Z"}, "2026-03-01T11:00:00.000000Z"),
        ({"occurred_at": "2026-03-01T11:00:00Z", "sent_at": "2026-03-01T10:00:00Z"}, "2026-03-01T12:00:00.000000Z"),
        ({"sent_at": "2026-03-01T10:00:00Z"}, "2026-03-01T12:00:00.000000Z"),
    ],
)
def test_the_time_is_the_senders_corrected_for_his_clock(times, occurred_at):
    assert accept(PAGE | times)["occurred_at"] == occurred_at


def test_the_body_says_when_it_was_sent_for_events_that_do_not():
    own = {"occurred_at": "2026-03-01T09:00:00Z", "sent_at": "2026-03-01T09:00:00Z"}
    late = {"occurred_at": "2026-03-01T09:00:00Z"}
    events = logged(send({"sentAt": "2026-03-01T10:00:00Z", "batch": [PAGE | own, PAGE | late]}))
    assert [event["occurred_at"][11:16] for event in events] == ["12:00", "11:00"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"occurred_at": "2026-03-01"}, "invalid_occurred_at"),
        ({"occurred_at": "2026-03-01T09:30:00"}, "invalid_occurred_at"),
        ({"occurred_at": "2026-02-30T09:30:00Z"}, "invalid_occurred_at"),
        ({"occurred_at": 1767225600}, "invalid_occurred_at"),
        ({"occurred_at": ""}, "invalid_occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00Z", "sent_at": "9999-12-31T00:00:00Z"}, "invalid_occurred_at"),
        ({"sent_at": "yesterday"}, "invalid_sent_at"),
        ({"sent_at": 1767225600}, "invalid_sent_at"),
        ({"event_id": ""}, "invalid_event_id"),
        ({"event_id": "x" * 129}, "invalid_event_id"),
        ({"event_id": 42}, "invalid_event_id"),
        ({"visitor_id": "x" * 129}, "invalid_visitor_id"),
        ({"visitor_id": 42}, "invalid_visitor_id"),
        ({"user_id": True}, "invalid_user_id"),
        ({"user_id": ["42"]}, "invalid_user_id"),
        ({"previous_id": {}}, "invalid_previous_id"),
        ({"email": 42}, "invalid_email"),
        ({"email": ["ann@example.org"]}, "invalid_email"),
        ({"url": 1}, "invalid_url"),
        ({"referrer": {}}, "invalid_referrer"),
        ({"title": False}, "invalid_title"),
        ({"name": []}, "invalid_name"),
        ({"properties": []}, "invalid_properties"),
        ({"consent": True}, "invalid_consent"),
        ({"consent": {"analytics": "no"}}, "invalid_consent"),
        ({"form": []}, "invalid_form"),
        ({"type": "Pageview"}, "type_unknown"),
        ({"type": ""}, "type_unknown"),
        ({"type": None}, "type_missing"),
        ({"type": 1}, "invalid_type"),
        ({"type": ["pageview"]}, "invalid_type"),
        ({"url": "https://shop.example/" + "x" * 8172}, "url_too_long"),
        ({"url": "https://shop.example/" + "ü" * 4086}, "url_too_long"),
        ({"referrer": "https://shop.example/" + "x" * 8172}, "url_too_long"),
    ],
)
def test_a_known_field_of_another_kind_is_refused_by_its_name(change, reason):
    assert refuse(PAGE | change) == reason


def test_a_url_of_8_kilobytes_is_kept():
    url = "https://shop.example/" + "x" * 8171
    assert accept(PAGE | {"url": url})["url"] == url


def test_a_known_field_that_is_null_is_absent_and_unknown_ones_are_kept():
    nulls = dict.fromkeys(["event_id", "occurred_at", "visitor_id", "user_id", "email", "referrer", "title", "form"])
    event = accept(PAGE | nulls | {"consent": None, "shade": None, "mood": {"is": [1.5, "fine"]}})
    assert event == {
        "type": "pageview",
        "url": "https://shop.example/",
        "shade": None,
        "mood": {"is": [1.5, "fine"]},
        "event_id": "random-1",
        "occurred_at": "2026-03-01T12:00:00.000000Z",
        "received_at": "2026-03-01T12:00:00.000000Z",
    }


def test_what_only_the_collector_can_know_is_not_believed():
    forged = {"received_at": "1999-01-01T00:00:00Z", "address": "8.8.8.8", "kept_apart": "own_visit"}
    event = accept(PAGE | forged, address="10.1.2.0", kept_apart="bot")
    assert (event["received_at"], event["address"]) == ("2026-03-01T12:00:00.000000Z", "10.1.2.0")
    assert event["kept_apart"] == "bot"
    for sender in Sender:
        assert accept(PAGE | forged, sender=sender).keys().isdisjoint({"address", "kept_apart"})


def test_what_is_kept_apart_is_logged_as_it_came_and_says_why():
    item = PAGE | {"visitor_id": "v-1", "email": "ann@example.org", "occurred_at": "2026-03-01T09:00:00Z"}
    assert accept(item, kept_apart="bot") == accept(item) | {"kept_apart": "bot"}


@pytest.mark.parametrize(
    ("given", "cookie", "tracker", "visitor"),
    [
        ("v-1", None, False, "v-1"),
        ("v-1", "c-1", True, "v-1"),
        (None, "c-1", False, "c-1"),
        (None, "c-1", True, "c-1"),
        (None, None, False, None),
        (None, None, True, visitor_for("e-1", ID_KEY)),
        ("undefined", None, False, None),
        ("undefined", "c-1", False, "c-1"),
        (" NULL ", None, True, visitor_for("e-1", ID_KEY)),
        ("00000000-0000-0000-0000-000000000000", "c-1", False, "c-1"),
        ("'anonymous'", None, False, None),
        ("", "c-1", False, "c-1"),
    ],
)
def test_the_visitor_is_given_else_the_cookies_else_made_for_the_tracker(given, cookie, tracker, visitor):
    taken = send(PAGE | {"event_id": "e-1", "visitor_id": given}, cookie=cookie, tracker=tracker)
    [event] = logged(taken)
    assert event.get("visitor_id") == visitor
    assert taken.made_visitor == (visitor == visitor_for("e-1", ID_KEY))
    assert taken.blocked_visitors == (given not in {None, "v-1"})


def test_all_events_of_a_trackers_request_share_the_visitor_made_of_its_first_event_id():
    batch = [PAGE, "no event", PAGE | {"event_id": "e-1", "url": 1}, PAGE | {"event_id": "e-2"}]
    for _retry in range(2):
        events = logged(send(batch, tracker=True))
        assert {event["visitor_id"] for event in events} == {visitor_for("e-1", ID_KEY)}


def test_a_made_visitor_id_tells_nothing_without_the_key():
    assert visitor_for("e-1", ID_KEY) != visitor_for("e-1", b"another key") != visitor_for("e-2", b"another key")
    assert len(visitor_for("ü", ID_KEY)) == 32


def test_a_statement_about_money_or_people_takes_no_visitor_from_the_request():
    touch = {"type": "touch", "email": "ann@example.org"}
    assert "visitor_id" not in accept(touch, sender=Sender.admin, cookie="c-1")
    assert accept(touch | {"visitor_id": "v-1"}, sender=Sender.admin)["visitor_id"] == "v-1"


@pytest.mark.parametrize("consent", [{"consent": {"analytics": False}}, {}])
def test_without_consent_there_is_no_visitor_and_no_click_id(consent):
    signal = not consent
    item = {
        "type": "form",
        "event_id": "e-1",
        "visitor_id": "v-1",
        "url": "https://shop.example/?gclid=abc&color=blue",
        "referrer": "https://ads.example/?fbclid=def",
        "email": "ann@example.org",
    }
    for tracker in (False, True):
        taken = send(item | consent, tracker=tracker, cookie=None, refused_by_signal=signal)
        [event] = logged(taken)
        assert "visitor_id" not in event
        assert event["url"] == "https://shop.example/?color=blue"
        assert event["referrer"] == "https://ads.example/"
        assert event["person"] == {"email": "ann@example.org"}
        assert event["consent"]["analytics"] is False
        assert not taken.made_visitor


CLICK_IDS_ANYWHERE = {
    "type": "form",
    "event_id": "e-1",
    "url": "https://shop.example/?gclid=abc",
    "referrer": "https://ads.example/?fbclid=def",
    "properties": {"path": "/a?msclkid=ghi&b=1", "page": {"search": "?gclid=abc", "GCLID": "abc"}, "list": ["?ttclid=x"]},
    "li_fat_id": "jkl",
    "form": {"id": "contact", "fields": {"email": "ann@example.org", "gclid": "abc", "message": "Why gclid=abc? And gclid?"}},
    "traits": {"landing": "https://shop.example/?wbraid=1#top"},
}  # fmt: skip


def test_without_consent_no_field_at_any_depth_keeps_a_click_id():
    event = accept(CLICK_IDS_ANYWHERE | {"consent": {"analytics": False}})
    assert event["url"] == "https://shop.example/"
    assert event["properties"] == {"path": "/a?b=1", "page": {"search": ""}, "list": [""]}
    assert event["person"] == {
        "email": "ann@example.org",
        "fields": {"email": "ann@example.org", "message": "Why gclid=abc? And gclid?"},
        "traits": {"landing": "https://shop.example/#top"},
    }
    assert "li_fat_id" not in event


def test_with_consent_click_ids_stay():
    event = accept(CLICK_IDS_ANYWHERE | {"consent": {"analytics": True, "marketing": False}}, cookie="c-1")
    for name in ("url", "referrer", "properties", "li_fat_id"):
        assert event[name] == CLICK_IDS_ANYWHERE[name]
    assert event["person"]["fields"]["gclid"] == "abc"


def test_an_event_without_an_id_that_says_when_it_happened_is_one_however_often_it_is_sent():
    item = PAGE | {"occurred_at": "2026-03-01T09:00:00Z", "visitor_id": "v-1"}
    first = accept(item, received_at=RECEIVED, address="10.0.0.0")
    for again in (
        accept(item, received_at=RECEIVED + timedelta(hours=1), address="10.9.9.0"),
        accept(item | {"sent_at": "2026-03-01T10:00:00Z"}),
        accept(item | {"occurred_at": "2026-03-01T10:00:00+01:00"}),
        accept(item | {"title": None, "received_at": "now", "address": "here"}),
    ):
        assert again["event_id"] == first["event_id"]
    for other in (
        accept(item | {"visitor_id": "v-2"}),
        accept({name: value for name, value in item.items() if name != "visitor_id"}, cookie="v-3"),
        accept(item | {"title": "Home"}),
        accept(item | {"occurred_at": "2026-03-01T09:00:01Z"}),
    ):
        assert other["event_id"] != first["event_id"]
    assert len(first["event_id"]) == 32


def test_an_event_without_an_id_and_a_time_gets_a_random_one():
    first, second = logged(send([PAGE, PAGE]))
    assert first["event_id"] != second["event_id"]


DEAL = {"type": "deal", "deal_id": "1", "stage": "open"}


@pytest.mark.parametrize(
    ("times", "zone", "occurred_at"),
    [
        ({"updated_at": "2026-02-01T10:00:00+02:00"}, "UTC", "2026-02-01T08:00:00.000000Z"),
        ({"updated_at": "2099-02-01T10:00:00Z"}, "UTC", "2099-02-01T10:00:00.000000Z"),
        (
            {"updated_at": "2026-02-01T10:00:00Z", "occurred_at": "2026-01-01T00:00:00Z"},
            "UTC",
            "2026-02-01T10:00:00.000000Z",
        ),
        ({"occurred_at": "2026-01-01T00:00:00Z"}, "UTC", "2026-01-01T00:00:00.000000Z"),
        ({"updated_at": "2026-02-01"}, "UTC", "2026-02-01T23:59:59.999999Z"),
        ({"updated_at": "2026-02-01"}, "Europe/Berlin", "2026-02-01T22:59:59.999999Z"),
        ({}, "UTC", "2026-03-01T12:00:00.000000Z"),
        (
            {"updated_at": "2026-02-01T10:00:00Z", "sent_at": "2020-01-01T00:00:00Z"},
            "UTC",
            "2026-02-01T10:00:00.000000Z",
        ),
    ],
)
def test_a_deal_happens_when_its_version_says(times, zone, occurred_at):
    event = accept(DEAL | times, sender=Sender.admin, zone=ZoneInfo(zone))
    assert event["occurred_at"] == event["updated_at"] == occurred_at


def test_a_deal_without_an_id_is_one_version_however_often_it_is_sent():
    version = DEAL | {"updated_at": "2026-02-01T10:00:00Z"}
    ids = {accept(version, sender=Sender.admin, received_at=at)["event_id"] for at in (RECEIVED, RECEIVED.max)}
    assert len(ids) == 1
    assert accept(DEAL, sender=Sender.admin)["event_id"] == "random-1"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "contact", "contact_id": "7"},
        {"type": "unlink", "a": "user:1", "b": "user:2"},
        {"type": "erase", "email": "ann@example.org"},
        {"type": "spend", "date": "2026-03-01", "source": "google", "amount": "1", "currency": "EUR"},
        {"type": "rate", "date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9"},
    ],
)
def test_times_from_the_books_are_neither_corrected_nor_clamped(item):
    times = {"occurred_at": "2099-01-01T00:00:00Z", "sent_at": "2030-01-01T00:00:00Z"}
    assert accept(item | times, sender=Sender.admin)["occurred_at"] == "2099-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.123", "192.0.2.0"),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::"),
        ("::ffff:192.0.2.123", "192.0.2.0"),
        ("::1", "::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", None),
        ("", None),
    ],
)
def test_an_address_is_cut_to_its_network(host, network):
    assert network_of(host) == network
