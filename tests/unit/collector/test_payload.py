from zoneinfo import ZoneInfo

import pytest

from collector.keys import Sender
from collector.payload import decimal_text_of
from schemas.codec import decode
from schemas.deal import deal_of
from tests.sending import accept, refuse, send

DEAL = {"type": "deal", "deal_id": "1001", "stage": "won", "amount": "5000.01", "currency": "EUR", "contacts": []}
CONTACT = {"type": "contact", "contact_id": "901", "email": "ann@example.org"}
UNLINK = {"type": "unlink", "a": "email:ann@example.org", "b": "user:42"}
ERASE = {"type": "erase", "email": "ann@example.org"}
TOUCH = {"type": "touch", "email": "ann@example.org", "source": "fair", "medium": "event"}
SPEND = {"type": "spend", "date": "2026-03-01", "source": "google", "amount": "12.50", "currency": "EUR"}
RATE = {"type": "rate", "date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9223"}


@pytest.mark.parametrize("event", [DEAL, CONTACT, UNLINK, ERASE, TOUCH, SPEND, RATE], ids=lambda event: event["type"])
def test_what_moves_money_or_people_needs_the_admin_token(event):
    assert refuse(event) == "type_needs_admin"
    assert accept(event, sender=Sender.admin)["type"] == event["type"]


@pytest.mark.parametrize(
    ("event", "change", "reason"),
    [
        (DEAL, {"deal_id": None}, "invalid_deal_id"),
        (DEAL, {"deal_id": ""}, "invalid_deal_id"),
        (DEAL, {"deal_id": 1001}, "invalid_deal_id"),
        (DEAL, {"deal_id": "x" * 257}, "invalid_deal_id"),
        (DEAL, {"provider": ""}, "invalid_provider"),
        (DEAL, {"provider": "hub:spot"}, "invalid_provider"),
        (DEAL, {"provider": 1}, "invalid_provider"),
        (DEAL, {"stage": None}, "invalid_stage"),
        (DEAL, {"stage": "closedwon"}, "invalid_stage"),
        (DEAL, {"stage": "Won"}, "invalid_stage"),
        (DEAL, {"amount": None}, "invalid_amount"),
        (DEAL, {"amount": "-1"}, "invalid_amount"),
        (DEAL, {"amount": -0.01}, "invalid_amount"),
        (DEAL, {"amount": "1.005"}, "invalid_amount"),
        (DEAL, {"amount": 1.005}, "invalid_amount"),
        (DEAL, {"amount": "1,000.00"}, "invalid_amount"),
        (DEAL, {"amount": "1e3"}, "invalid_amount"),
        (DEAL, {"amount": "1e999999"}, "invalid_amount"),
        (DEAL, {"amount": "NaN"}, "invalid_amount"),
        (DEAL, {"amount": " 1"}, "invalid_amount"),
        (DEAL, {"amount": "١٢"}, "invalid_amount"),
        (DEAL, {"amount": ""}, "invalid_amount"),
        (DEAL, {"amount": True}, "invalid_amount"),
        (DEAL, {"amount": "9" * 18}, "invalid_amount"),
        (DEAL, {"amount": "1.5", "currency": "JPY"}, "invalid_amount"),
        (DEAL, {"currency": None}, "invalid_currency"),
        (DEAL, {"currency": "EURO"}, "invalid_currency"),
        (DEAL, {"currency": "XXX"}, "invalid_currency"),
        (DEAL, {"currency": 978}, "invalid_currency"),
        (DEAL, {"created_at": "last week"}, "invalid_created_at"),
        (DEAL, {"created_at": 0}, "invalid_created_at"),
        (DEAL, {"closed_at": "2026-02-30"}, "invalid_closed_at"),
        (DEAL, {"closed_at": "9999-12-31"}, "invalid_closed_at"),
        (DEAL, {"updated_at": "2026-03-01T09:00:00"}, "invalid_updated_at"),
        (DEAL, {"updated_at": 1767225600}, "invalid_updated_at"),
        (DEAL, {"owner": 7}, "invalid_owner"),
        (DEAL, {"contacts": {"email": "ann@example.org"}}, "invalid_contacts"),
        (DEAL, {"contacts": ["ann@example.org"]}, "invalid_contacts"),
        (DEAL, {"contacts": [{"email": 1}]}, "invalid_contacts"),
        (DEAL, {"contacts": [{}, {"contact_id": True}]}, "invalid_contacts"),
        (DEAL, {"contacts": [{"contact_id": []}]}, "invalid_contacts"),
        (CONTACT, {"contact_id": None}, "invalid_contact_id"),
        (CONTACT, {"contact_id": []}, "invalid_contact_id"),
        (CONTACT, {"contact_id": False}, "invalid_contact_id"),
        (CONTACT, {"provider": "a:b"}, "invalid_provider"),
        (UNLINK, {"a": None}, "invalid_a"),
        (UNLINK, {"a": "ann@example.org"}, "invalid_a"),
        (UNLINK, {"a": "email:undefined"}, "invalid_a"),
        (UNLINK, {"b": "phone:123"}, "invalid_b"),
        (UNLINK, {"b": "email:Ann@EXAMPLE.org"}, "invalid_b"),
        (UNLINK, {"undo": "yes"}, "invalid_undo"),
        (ERASE, {"email": None}, "invalid_email"),
        (ERASE, {"email": "ann"}, "invalid_email"),
        (TOUCH, {"source": 1}, "invalid_source"),
        (TOUCH, {"medium": 1}, "invalid_medium"),
        (TOUCH, {"campaign": {}}, "invalid_campaign"),
        (TOUCH, {"channel": []}, "invalid_channel"),
        (SPEND, {"date": None}, "invalid_date"),
        (SPEND, {"date": "2026-02-30"}, "invalid_date"),
        (SPEND, {"date": "2026-03-01T00:00:00Z"}, "invalid_date"),
        (SPEND, {"amount": None}, "invalid_amount"),
        (SPEND, {"currency": None}, "invalid_currency"),
        (RATE, {"from": "XX"}, "invalid_from"),
        (RATE, {"to": None}, "invalid_to"),
        (RATE, {"to": "usd"}, "invalid_to"),
        (RATE, {"rate": None}, "invalid_rate"),
        (RATE, {"rate": "0"}, "invalid_rate"),
        (RATE, {"rate": "0.000"}, "invalid_rate"),
        (RATE, {"rate": "-1"}, "invalid_rate"),
    ],
)
def test_what_a_consumer_could_not_use_is_refused_by_its_name(event, change, reason):
    assert refuse(event | change, sender=Sender.admin) == reason


@pytest.mark.parametrize(
    ("change", "minor_units", "currency"),
    [
        ({"amount": "5000.01", "currency": "EUR"}, 500001, "EUR"),
        ({"amount": 5000.01, "currency": "eur"}, 500001, "EUR"),
        ({"amount": 5000, "currency": "EUR"}, 500000, "EUR"),
        ({"amount": 0.1, "currency": "EUR"}, 10, "EUR"),
        ({"amount": 98000.0, "currency": "JPY"}, 98000, "JPY"),
        ({"amount": "1.2340", "currency": "KWD"}, 1234, "KWD"),
        ({"amount": "0", "currency": "EUR"}, 0, "EUR"),
    ],
)
def test_an_amount_may_come_as_text_or_as_a_number(change, minor_units, currency):
    taken = send(DEAL | change, sender=Sender.admin)
    [(_, value)] = taken.records["deals"]
    deal = deal_of(decode(value)[0], ZoneInfo("UTC"))
    assert (deal.amount, deal.currency) == (minor_units, currency)


def test_a_number_becomes_its_shortest_digits_without_an_exponent():
    assert [decimal_text_of(number) for number in (0.1, 1e-7, 12, 1e15, "1.50")] == [
        "0.1",
        "0.0000001",
        "12",
        "1000000000000000",
        "1.50",
    ]


def test_only_a_won_deal_needs_an_amount_and_a_deleted_one_nothing_but_its_ids():
    for stage in ("open", "lost", "deleted"):
        event = accept({"type": "deal", "deal_id": "1", "stage": stage}, sender=Sender.admin)
        assert event["provider"] == "webhook"


def test_a_deals_people_stand_in_person():
    contacts = [
        {"email": "ann@example.org", "contact_id": 901.0, "role": "buyer"},
        {"contact_id": "902"},
        {"contact_id": 9.5},
    ]
    event = accept(DEAL | {"contacts": contacts}, sender=Sender.admin)
    assert "contacts" not in event
    assert event["person"]["contacts"] == [
        {"email": "ann@example.org", "contact_id": 901, "role": "buyer"},
        {"contact_id": "902"},
        {"contact_id": 9.5},
    ]
    assert accept(CONTACT, sender=Sender.admin)["person"] == {"contact_id": "901", "email": "ann@example.org"}
    assert accept(UNLINK, sender=Sender.admin)["person"] == {"a": "email:ann@example.org", "b": "user:42"}


def test_the_message_names_the_place():
    taken = send([DEAL | {"contacts": [{}, {"contact_id": True}]}], sender=Sender.admin)
    assert taken.rejected[0].detail.startswith("contacts.1.contact_id: ")


def test_words_that_a_type_does_not_know_are_kept_as_they_are():
    unknown = {"amount": [1], "contacts": "many", "a": 1, "provider": 7, "date": "soon", "contact_id": {}}
    event = accept({"type": "pageview", "visitor_id": "v-1", **unknown})
    assert {name: event[name] for name in unknown} == unknown
