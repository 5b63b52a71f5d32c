"""Revenue on rows of the state: who earned what by which dimension, in which period and currency, and as it stood when."""

from collections import Counter

import pytest

from schemas.visit import DIRECT
from services.reports.questions import DIMENSIONS
from tests.asking import ANN, BOB, FIRST, SECOND, THIRD, asking, berlin_settings, get, refusal
from tests.state_rows import PAID, Deal, Visit, put_all, put_entry, put_lead

NO_SPEND = {"spend": None, "roas": None, "cac": None, "cost_per_lead": None}
NO_MORE = {**NO_SPEND, "interval": None}

settings = pytest.fixture(berlin_settings)
client = pytest.fixture(asking)


def amounts(report):
    return {row["key"]: row["amount"] for row in report["rows"]}


async def test_an_empty_state_answers_an_empty_report(client):
    assert await get(client, "revenue") == {
        "model": "linear", "by": "channel", "from": None, "to": None, "currency": None, "rows": [],
        "total": "0.00", "totals": {"amount": "0.00", "deals": 0, "leads": 0, "visits": 0, **NO_SPEND},
        "missing_rates": [],
    }  # fmt: skip


async def test_revenue_by_channel_has_money_shares_leads_and_visits(client, database):
    await put_lead(database, ANN)
    await put_lead(database, BOB)
    await put_all(database, FIRST, SECOND, THIRD, Deal("D-1", visits=(FIRST, SECOND, THIRD)))
    report = await get(client, "revenue", model="position_based")
    assert report["currency"] == "EUR"
    assert report["rows"] == [
        {"key": "Direct", "amount": "40.00", "deals": 0.4, "leads": 1, "visits": 1, **NO_MORE},
        {"key": "Paid Search", "amount": "40.00", "deals": 0.4, "leads": 1, "visits": 1, **NO_MORE},
        {"key": "Email", "amount": "20.00", "deals": 0.2, "leads": 1, "visits": 1, **NO_MORE},
    ]
    assert report["totals"] == {"amount": "100.00", "deals": 1, "leads": 2, "visits": 3, **NO_SPEND}


async def test_money_of_a_deal_without_a_touch_is_a_row_in_every_dimension_of_touches(client, database):
    await put_all(database, Deal("D-1", amount=500), Deal("D-2", amount=700, visits=(FIRST,)))
    for by in ("channel", "source", "campaign", "landing_page", "referrer"):
        assert amounts(await get(client, "revenue", by=by))["Unattributed"] == "5.00"


BROKEN_DOWN = {
    "channel": {"Paid Search": "50.00", "Email": "50.00"},
    "source": {"google": "50.00", "newsletter": "50.00"},
    "medium": {"cpc": "50.00", "email": "50.00"},
    "campaign": {"spring": "50.00", "march": "50.00"},
    "content": {"(not set)": "100.00"},
    "term": {"(not set)": "100.00"},
    "landing_page": {"https://shop.example/?gclid=1": "50.00", "https://shop.example/offer": "50.00"},
    "referrer": {"www.google.com": "50.00", "(none)": "50.00"},
    "owner": {"Rita": "100.00"},
}


async def test_revenue_can_be_broken_down_by_every_dimension(client, database):
    await put_all(database, Deal("D-1", owner="Rita", visits=(FIRST, SECOND)))
    assert {by: amounts(await get(client, "revenue", by=by)) for by in DIMENSIONS} == BROKEN_DOWN


HOSTS = {
    "https://News.Example/a?b#c": "news.example",
    "http://user:secret@forum.example:8080/": "forum.example",
    "https://[2001:db8::1]:80/": "[2001:db8::1]",
    "android-app://com.google.android.gm/": "com.google.android.gm",
    "not a url": "(none)",
    "": "(none)",
    None: "(none)",
}


async def test_a_referrer_counts_by_its_host(client, database):
    for number, referrer in enumerate(HOSTS):
        await put_all(database, Visit(f"v{number}", "2026-03-01", referrer=referrer))
    rows = (await get(client, "revenue", by="referrer"))["rows"]
    assert {row["key"]: row["visits"] for row in rows} == Counter(HOSTS.values())


async def test_revenue_by_owner_counts_the_leads_of_the_deals_contacts_and_the_touches_of_their_journeys(
    client, database
):
    await put_lead(database, ANN, "user:1")
    await put_lead(database, BOB)
    await put_all(
        database, FIRST, SECOND, THIRD,
        Deal("D-1", 600, owner="Rita", contacts=(ANN, "user:1"), visits=(FIRST, SECOND)),
        Deal("D-2", 400, owner="Rita", contacts=(ANN,), visits=(FIRST,)),
        Deal("D-3", 100, contacts=(BOB,)),
    )  # fmt: skip
    report = await get(client, "revenue", by="owner")
    assert report["rows"] == [
        {"key": "Rita", "amount": "10.00", "deals": 2, "leads": 1, "visits": 2, **NO_MORE},
        {"key": "(not set)", "amount": "1.00", "deals": 1, "leads": 1, "visits": 0, **NO_MORE},
    ]
    assert report["totals"] == {"amount": "11.00", "deals": 3, "leads": 2, "visits": 2, **NO_SPEND}


@pytest.mark.parametrize(
    ("model", "paid", "direct"),
    [
        pytest.param("shapley", "50.00", "150.01", id="one of the two deals is shared evenly"),
        pytest.param("markov", "66.67", "133.34", id="without Direct nothing is won, without Paid Search half"),
    ],
)
async def test_models_of_the_period_share_its_won_money_by_channel(client, database, model, paid, direct):
    """One deal by Paid Search and Direct, one by Direct alone, two visitors by Paid Search alone, one deal of nobody known."""
    last, others = (
        Visit("v1", "2026-03-06 10:00", DIRECT, ANN),
        [Visit(v, "2026-03-09 10:00", PAID) for v in ("v3", "v4")],
    )
    await put_lead(database, ANN)
    await put_lead(database, BOB)
    await put_all(database, FIRST, last, THIRD, *others, Deal("D-3"))
    await put_all(database, Deal("D-1", 10_001, visits=(FIRST, last), contacts=(ANN,)))
    await put_all(database, Deal("D-2", visits=(THIRD,), contacts=(BOB,)))
    report = await get(client, "revenue", model=model, intervals=True)
    assert amounts(report) == {"Paid Search": paid, "Direct": direct, "Unattributed": "100.00"}
    assert report["total"] == "300.01"
    for row in (row for row in report["rows"] if row["key"] != "Unattributed"):
        assert float(row["interval"]["low"]) <= float(row["amount"]) <= float(row["interval"]["high"])
    assert await refusal(client, "revenue", model=model, by="source") == (400, "model_by_channel_only")
    assert await refusal(client, "deals/D-1/credits", model=model) == (400, "unknown_model")


async def test_a_channel_without_money_is_a_row_of_its_visits(client, database):
    await put_all(database, FIRST, THIRD, Deal("D-1", visits=(FIRST,)))
    rows = (await get(client, "revenue"))["rows"]
    assert rows[1] == {"key": "Direct", "amount": "0.00", "deals": 0, "leads": 0, "visits": 1, **NO_MORE}


async def test_a_lead_that_came_by_two_channels_is_one_lead_in_all(client, database):
    await put_lead(database, ANN)
    await put_all(database, FIRST, SECOND)
    report = await get(client, "revenue")
    assert [row["leads"] for row in report["rows"]] == [1, 1]
    assert report["totals"]["leads"] == 1


async def test_a_period_is_of_whole_days_in_the_rules_time_zone_and_its_end_is_exclusive(client, database):
    await put_all(
        database,
        Deal("late on the 9th in Berlin", 100, "2026-03-09 22:59"),
        Deal("first minute of the 10th in Berlin", 200, "2026-03-09 23:00"),
        Deal("last minute of the 10th in Berlin", 400, "2026-03-10 22:59"),
        Deal("first minute of the 11th in Berlin", 800, "2026-03-10 23:00"),
    )
    report = await get(client, "revenue", **{"from": "2026-03-10", "to": "2026-03-11"})
    assert (report["from"], report["to"], report["total"]) == ("2026-03-10", "2026-03-11", "6.00")
    assert (await get(client, "revenue", **{"from": "2026-03-10"}))["total"] == "14.00"
    assert (await get(client, "revenue", to="2026-03-10"))["total"] == "1.00"


async def test_stored_rules_decide_the_day_whatever_the_settings_say(client, database):
    await database.execute(
        """INSERT INTO rules (rules) VALUES ('{"lookback_days": 90, "own_domains": [], "timezone": "UTC"}')"""
    )
    await put_all(database, Deal("D-1", 100, "2026-03-09 23:30"))
    assert (await get(client, "revenue", **{"from": "2026-03-10"}))["total"] == "0.00"


async def test_currencies_are_never_added_up_and_the_others_are_named(client, database):
    await put_all(
        database,
        Deal("D-1", 10_000), Deal("D-2", 10_000),
        Deal("D-3", 99_900, currency="USD"),
        Deal("D-4", 5_000, currency="JPY"),
    )  # fmt: skip
    report = await get(client, "revenue")
    assert (report["currency"], report["total"], report["totals"]["deals"]) == ("EUR", "200.00", 2)
    assert report["missing_rates"] == [
        {"from": "JPY", "to": "EUR", "deals": 1, "amount": "5000", "spend": "0", "day": "2026-03-10"},
        {"from": "USD", "to": "EUR", "deals": 1, "amount": "999.00", "spend": "0.00", "day": "2026-03-10"},
    ]
    in_yen = await get(client, "revenue", currency="jpy")
    assert (in_yen["currency"], in_yen["total"]) == ("JPY", "5000")


async def test_of_currencies_with_as_many_deals_the_least_code_is_reported(client, database):
    await put_all(database, Deal("D-1", 100, currency="USD"), Deal("D-2", 100, currency="CHF"))
    assert (await get(client, "revenue"))["currency"] == "CHF"


async def test_as_of_reads_the_ledger_as_it_stood(client, database):
    deal = Deal("D-1", 20_000, visits=(FIRST,))
    await put_all(database, Deal("D-1", 20_000, stage="open", visits=(FIRST,)))
    await database.execute("UPDATE deals SET stage = 'won'")
    await put_entry(database, Deal("D-1", 10_000), version=1, recorded="2026-03-10", until="2026-03-12")
    await put_entry(database, deal, version=2, recorded="2026-03-12")
    cases = [("2026-03-10T11:59:59Z", "0.00"), ("2026-03-11T00:00:00Z", "100.00"), ("2026-03-12T12:00:00Z", "200.00")]
    for as_of, amount in cases:
        assert (await get(client, "revenue", as_of=as_of))["total"] == amount
    before = await get(client, "deals/D-1/credits", as_of="2026-03-11T01:00:00+01:00")
    assert (before["amount"], before["credits"][0]["channel"]) == ("100.00", "Unattributed")
    assert (await get(client, "deals/D-1/credits"))["credits"][0]["channel"] == "Paid Search"
