"""The simulated shop: repeatable, plausible, within what the collector accepts, and true to the rules of visits."""

import json
from collections import Counter, defaultdict
from datetime import timedelta
from functools import cache
from uuid import NAMESPACE_URL, uuid5

import pytest

from identity.channel import arrive
from identity.visits import Hit, fold
from schemas.event import ADMIN_ONLY, EVENT_BYTES
from schemas.identifier import email_identifier, user_identifier
from schemas.instant import parse_instant
from schemas.money import minor_units
from services.local.shop import simulate
from services.local.shop.calls import BATCH, calls_of
from services.local.shop.comparison import expect
from services.local.shop.credit import MODELS
from services.local.shop.history import CURRENCY, END, START, Reason, Sender
from services.local.shop.sources import ARRIVALS

LOOKBACK = timedelta(days=90)
shop_of = cache(simulate)


def test_the_same_seed_is_the_same_shop():
    assert simulate(7, 200) == simulate(7, 200)


@pytest.mark.parametrize("other", [(8, 200), (7, 201)], ids=["another seed", "another size"])
def test_different_shops_can_be_played_into_one_installation(other):
    def names(shop):
        fields = ("event_id", "visitor_id", "deal_id", "user_id")
        people = {person.email for person in shop.people} | {person.contact_id for person in shop.people}
        return people | {payload[field] for payload in shop.requests() for field in fields if field in payload}

    assert not names(shop_of(7, 200)) & names(shop_of(*other))


@pytest.mark.parametrize("visitors", [1, 2, 17, 300, 3000])
def test_a_shop_has_exactly_the_visitors_asked_for(visitors):
    shop = shop_of(7, visitors)
    seen = {payload["visitor_id"] for payload in shop.requests() if "visitor_id" in payload}
    assert shop.visitors == visitors
    assert len(seen) <= visitors
    assert {visit.visitor_id for visit in shop.visits} == seen


def test_a_shop_without_visitors_is_refused():
    with pytest.raises(ValueError, match="at least one visitor"):
        simulate(7, 0)


def test_the_shop_is_plausible():
    shop = shop_of(7, 3000)
    channels = {visit.true_channel for visit in shop.visits}
    assert 15_000 < len(shop.deliveries) < 40_000
    assert 0.03 < len(shop.won_deals) / 3000 < 0.15
    assert channels == {arrival.true_channel for arrival in ARRIVALS}
    assert all(START - timedelta(days=40) <= visit.at < END for visit in shop.visits)
    assert all(deal.created_at <= deal.closed_at < END + timedelta(days=30) for deal in shop.deals)
    assert {payload["stage"] for payload in shop.requests() if payload["type"] == "deal"} == {
        "open",
        "won",
        "lost",
        "deleted",
    }


def test_some_newer_deal_version_overtakes_an_older_one():
    sent = defaultdict(list)
    for payload in shop_of(7, 3000).requests():
        if payload["type"] == "deal":
            sent[payload["deal_id"]].append(payload["updated_at"])
    assert any(versions != sorted(versions) for versions in sent.values())


def test_a_deal_ends_as_its_newest_version_says():
    shop = shop_of(7, 3000)
    newest = {}
    for payload in sorted(shop.requests(), key=lambda payload: payload.get("updated_at", "")):
        if payload["type"] == "deal":
            newest[payload["deal_id"]] = payload
    for deal in shop.deals:
        version = newest[deal.deal_id]
        assert deal.won == (version["stage"] == "won")
        assert deal.amount == minor_units(version["amount"], version["currency"])
        assert version["currency"] == CURRENCY
        assert deal.created_at == parse_instant(version["created_at"])
        assert deal.closed_at == parse_instant(version.get("closed_at", version["updated_at"]))


@pytest.mark.parametrize(("visitors", "model"), [(300, "linear"), *((3000, model) for model in MODELS)])
def test_every_reason_moves_money_and_all_of_it_adds_up(visitors, model):
    shop = shop_of(7, visitors)
    moved = Counter()
    for deal_id, explained in expect(shop, model, LOOKBACK).items():
        deal = next(deal for deal in shop.deals if deal.deal_id == deal_id)
        amount = deal.amount if deal.won else 0
        assert sum(explained.true.values()) == sum(part.amount for part in explained.visible) == amount
        for reason, changes in explained.moved.items():
            assert sum(changes.values()) == 0
            moved[reason] += sum(abs(cents) for cents in changes.values())
    assert set(moved) == set(Reason)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_planted_visits_are_those_that_the_rules_of_visits_make(seed):
    """Each visit, its first hit and its channel, by the product's own fold: the plan must not beg the question."""
    shop = shop_of(seed, 3000)
    planted = {(v.visitor_id, v.touch_id): v.seen_channel for v in shop.visits}
    owners = {address: person.email for person in shop.people for address in _identifiers(person)}
    by_visitor = defaultdict(list)
    for payload in shop.requests():
        if "visitor_id" in payload:
            by_visitor[payload["visitor_id"]].append(_hit(payload, owners))
    folded = {}
    for visitor, hits in by_visitor.items():
        for visit in fold(sorted(hits, key=lambda hit: (hit.occurred_at, hit.event_id))):
            folded[visitor, visit.touch_id] = visit.source.channel
    assert folded == planted


def _identifiers(person):
    yield user_identifier(person.user_id)
    yield email_identifier(person.email)
    yield email_identifier(person.other_email)


def _hit(payload, owners):
    arrival = arrive(payload["url"], payload.get("referrer"))
    fields = payload.get("form", {}).get("fields", {})
    email = payload.get("email") or next((value for name, value in fields.items() if "mail" in name.lower()), None)
    identifier = email_identifier(email) or user_identifier(payload.get("user_id"))
    lead = uuid5(NAMESPACE_URL, owners[identifier]) if identifier else None
    return Hit(
        occurred_at=parse_instant(payload["occurred_at"]),
        event_id=payload["event_id"],
        internal=arrival.internal,
        only_referrer=arrival.only_referrer,
        url=payload["url"],
        referrer=payload.get("referrer"),
        source=arrival.source if arrival.own else None,
        click_ids=arrival.click_ids,
        named=lead,
        lead=lead,
    )


def test_every_event_is_one_that_the_collector_takes():
    shop = shop_of(7, 3000)
    ids = [payload["event_id"] for payload in shop.requests()]
    assert len(ids) == len(set(ids))
    assert all(len(json.dumps(payload)) < EVENT_BYTES for payload in shop.requests())
    for delivery in shop.deliveries:
        assert (delivery.payload["type"] in ADMIN_ONLY) == (delivery.sender is not Sender.SITE)


def test_events_are_delivered_late_and_never_early():
    for delivery in shop_of(7, 300).deliveries:
        happened = delivery.payload.get("occurred_at") or delivery.payload["updated_at"]
        assert delivery.at > parse_instant(happened)


def test_calls_carry_every_event_and_repeat_some():
    shop = shop_of(7, 3000)
    calls = calls_of(shop)
    sent = Counter(payload["event_id"] for call in calls for payload in call.payloads)
    assert set(sent) == {payload["event_id"] for payload in shop.requests()}
    assert set(sent.values()) == {1, 2}
    assert all(len(call.payloads) <= BATCH[call.sender] for call in calls)
    assert {call.sender for call in calls} == set(Sender)
