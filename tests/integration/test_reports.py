"""The reports API on rows of the state: who earned what, for whom, and how current that is."""

import socket
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from schemas.credit import MODELS
from schemas.topics import DEALS, EVENTS
from schemas.visit import DIRECT
from services.reports.app import create_app
from services.reports.questions import DIMENSIONS
from services.reports.store import Store
from services.runtime.http import bind
from services.runtime.open_log import open_log
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from services.runtime.settings import StartError
from tests.state_rows import (
    ADMIN_TOKEN,
    ID_KEY,
    MAIL,
    PAID,
    Deal,
    Visit,
    id_of,
    put_all,
    put_entry,
    put_lead,
)

ANN, BOB = "email:ann@example.org", "email:bob@example.org"
FIRST = Visit("v1", "2026-03-01 10:00", PAID, ANN, "https://shop.example/?gclid=1", "https://www.Google.com/search?q=x")
SECOND = Visit("v1", "2026-03-05 10:00", MAIL, ANN, "https://shop.example/offer")
THIRD = Visit("v2", "2026-03-08 10:00", DIRECT, BOB)
NO_SPEND = {"spend": None, "roas": None, "cac": None, "cost_per_lead": None}
NO_MORE = {**NO_SPEND, "interval": None}


@pytest_asyncio.fixture
async def settings(dsn, tmp_path, settings_for):
    return settings_for(dsn, tmp_path, admin_token=ADMIN_TOKEN, id_key=ID_KEY, timezone="Europe/Berlin")


@pytest_asyncio.fixture
async def client(settings):
    dsn = settings.database_url.get_secret_value()
    async with connect(dsn, application="reports", read_only=True) as reading, open_log(settings) as log:
        app = create_app(
            Store(reading, rules_of(settings)), [log], settings, now=lambda: datetime(2026, 3, 31, tzinfo=UTC)
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://reports",
            headers={"authorization": f"Bearer {ADMIN_TOKEN}"},
        ) as client:
            yield client


async def get(client, path, **query):
    answer = await client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(client, path, **query):
    answer = await client.get(f"/api/v1/{path}", params=query)
    assert set(answer.json()) == {"code", "message"}
    return answer.status_code, answer.json()["code"]


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


async def test_credits_of_a_deal_come_in_the_order_of_its_journey_and_sum_to_its_amount(client, database):
    await put_all(database, Deal("D-1", 10_001, visits=(FIRST, SECOND)))
    answer = await get(client, "deals/D-1/credits", model="last_touch")
    assert {name: answer[name] for name in ("deal_id", "model", "stage", "amount", "currency")} == {
        "deal_id": "D-1", "model": "last_touch", "stage": "won", "amount": "100.01", "currency": "EUR",
    }  # fmt: skip
    first, second = answer["credits"]
    assert first == {
        "touch_id": FIRST.touch_id, "visitor_id": "v1", "occurred_at": "2026-03-01T10:00:00.000000Z",
        "channel": "Paid Search", "source": "google", "medium": "cpc", "campaign": "spring", "content": None,
        "term": None, "landing_page": "https://shop.example/?gclid=1", "referrer": "https://www.Google.com/search?q=x",
        "share": 0.0, "amount": first["amount"],
    }  # fmt: skip
    assert (second["channel"], second["share"]) == ("Email", 1.0)


async def test_an_unattributed_deal_has_one_credit_without_a_touch(client, database):
    await put_all(database, Deal("D-1", 500))
    (credit,) = (await get(client, "deals/D-1/credits"))["credits"]
    assert (credit["touch_id"], credit["channel"], credit["share"], credit["amount"]) == (
        None,
        "Unattributed",
        1,
        "5.00",
    )


async def test_a_deal_that_is_not_won_has_no_credits_and_says_where_it_stands(client, database):
    await put_all(database, Deal("D-1", stage="open", closed=None))
    answer = await get(client, "deals/D-1/credits")
    assert (answer["stage"], answer["amount"], answer["credits"]) == ("open", "100.00", [])


async def test_a_deal_is_found_by_its_bare_id_and_by_its_provider_and_id(client, database):
    for deal_id in ("D-1", "a/b", "x:y", "ünï ço∂é", "a/credits/b", "50%25", "#?&", "hubspot:z"):
        await put_all(database, Deal(deal_id, provider="hubspot"))
        for address in (deal_id, f"hubspot:{deal_id}"):
            for path in (f"deals/{quote(address, safe='')}", f"deals/{quote(address, safe='')}/credits"):
                assert (await get(client, path))["id"] == f"hubspot:{deal_id}"


async def test_a_bare_id_that_two_providers_use_is_ambiguous(client, database):
    await put_all(database, Deal("7", provider="hubspot"), Deal("7", provider="pipedrive"))
    answer = await client.get("/api/v1/deals/7/credits")
    assert (answer.status_code, answer.json()["code"]) == (409, "deal_id_ambiguous")
    assert "hubspot:7" in answer.json()["message"]
    assert "pipedrive:7" in answer.json()["message"]
    assert (await get(client, "deals/pipedrive:7"))["provider"] == "pipedrive"


async def test_an_address_that_names_the_provider_wins_over_an_id_that_looks_like_it(client, database):
    await put_all(database, Deal("7", 100, provider="hubspot"), Deal("hubspot:7", 200))
    assert (await get(client, "deals/hubspot:7"))["amount"] == "1.00"
    assert (await get(client, "deals/webhook:hubspot:7"))["amount"] == "2.00"


async def test_a_deal_tells_its_contacts_leads_and_models(client, database):
    lead = await put_lead(database, ANN, "user:1")
    await put_all(database, Deal("D-1", owner="Rita", contacts=(ANN, "user:1"), visits=(FIRST, SECOND)))
    deal = await get(client, "deals/D-1")
    assert deal["contacts"] == [ANN, "user:1"]
    assert deal["leads"] == [str(lead)]
    assert deal["models"] == sorted(MODELS)
    assert (deal["first_channel"], deal["last_channel"], deal["touches"], deal["owner"]) == (
        "Paid Search",
        "Email",
        2,
        "Rita",
    )


async def test_deals_are_listed_newest_first_and_open_ones_last(client, database):
    await put_all(
        database,
        Deal("older", closed="2026-03-01"), Deal("lost", closed="2026-03-05", stage="lost"),
        Deal("newer", closed="2026-03-09"), Deal("expected", closed="2027-01-01", stage="open"),
        Deal("gone", stage="deleted"),
    )  # fmt: skip

    async def ids(**query):
        return [deal["id"] for deal in (await get(client, "deals", **query))["deals"]]

    assert await ids() == ["webhook:newer", "webhook:lost", "webhook:older", "webhook:expected"]
    assert await ids(stage="won", limit="1") == ["webhook:newer"]
    assert await ids(**{"from": "2026-03-02", "to": "2026-03-06"}) == ["webhook:lost"]


async def test_a_lead_is_found_by_its_address_in_any_spelling(client, database):
    lead = await put_lead(database, ANN, "user:1", first_seen="2026-01-05")
    (found,) = (await get(client, "leads", email=" Ann@Example.ORG "))["leads"]
    assert found == await get(client, f"leads/{lead}")
    assert (found["lead_id"], found["identifiers"]) == (str(lead), [ANN, "user:1"])
    assert await get(client, "leads", email="nobody@example.org") == {"leads": []}


async def test_any_id_that_a_lead_ever_had_finds_the_lead_that_holds_it_now(client, database):
    lead = await put_lead(database, ANN, "user:1")
    for identifier in (ANN, "user:1"):
        assert (await get(client, f"leads/{id_of(identifier)}"))["lead_id"] == str(lead)
        assert (await get(client, f"leads/{id_of(identifier)}/journey"))["lead_id"] == str(lead)


async def test_a_journey_has_the_touches_of_all_identifiers_in_order_and_the_deals(client, database):
    lead = await put_lead(database, ANN, "user:1")
    later = Visit("v9", "2026-03-07", MAIL, "user:1")
    await put_all(database, later, FIRST, THIRD, Deal("D-1", contacts=("user:1",), visits=(FIRST, later)), Deal("D-2"))
    journey = await get(client, f"leads/{lead}/journey")
    assert [touch["channel"] for touch in journey["touches"]] == ["Paid Search", "Email"]
    assert [(deal["id"], deal["stage"]) for deal in journey["deals"]] == [("webhook:D-1", "won")]


REFUSED = [
    ("revenue", {"model": "best"}, 400, "unknown_model"),
    ("revenue", {"by": "weather"}, 400, "unknown_dimension"),
    ("revenue", {"from": "yesterday"}, 400, "invalid_date"),
    ("revenue", {"from": "2026-03-02", "to": "2026-03-01"}, 400, "invalid_period"),
    ("revenue", {"currency": "XXX"}, 400, "unknown_currency"),
    ("revenue", {"as_of": "noon"}, 400, "invalid_as_of"),
    ("deals", {"limit": "0"}, 422, "invalid_parameter"),
    ("deals", {"limit": "many"}, 422, "invalid_parameter"),
    ("deals", {"stage": "hopeful"}, 400, "unknown_stage"),
    ("deals/none", {}, 404, "deal_not_found"),
    ("deals/none/credits", {}, 404, "deal_not_found"),
    ("deals/a%00b", {}, 404, "deal_not_found"),
    ("leads", {}, 400, "missing_email"),
    ("leads", {"email": "ann"}, 400, "invalid_email"),
    ("leads/42", {}, 404, "lead_not_found"),
    (f"leads/{id_of(ANN)}", {}, 404, "lead_not_found"),
    (f"leads/{id_of(ANN)}/journey", {}, 404, "lead_not_found"),
    ("weather", {}, 404, "not_found"),
]


async def test_a_question_that_has_no_answer_is_refused_with_a_stable_code(client):
    answers = [(path, query, *await refusal(client, path, **query)) for path, query, _, _ in REFUSED]
    assert answers == REFUSED


async def test_an_unknown_model_is_told_the_known_ones(client):
    message = (await client.get("/api/v1/revenue", params={"model": "best"})).json()["message"]
    assert "first_touch, last_touch, last_non_direct, linear" in message


async def test_nobody_reads_reports_without_the_admin_token(client):
    for path in ("revenue", "deals", "deals/1", "deals/1/credits", "leads", "leads/1", "leads/1/journey", "status"):
        for header in ("", "Bearer ", "Bearer wrong", f"Basic {ADMIN_TOKEN}", "Bearer \u00e9"):
            answer = await client.get(f"/api/v1/{path}", headers={"authorization": header.encode()})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_status_is_settled_when_all_is_read_and_nothing_is_noted(client, database, settings):
    async with open_log(settings) as log:
        assert (await get(client, "status"))["settled"]
        await log.append(EVENTS.name, [(b"a", b"x"), (b"b", b"x")])
        await log.append(DEALS.name, [(b"a", b"x")])
        status = await get(client, "status")
        assert (status["settled"], status["lag"], status["events"]) == (False, {"identity": 3, "attributor": 1}, 3)

        for group, topics in (("identity", (EVENTS, DEALS)), ("attributor", (DEALS,))):
            for topic in topics:
                for partition, end in enumerate(await log.ends(topic.name)):
                    await database.execute(
                        "INSERT INTO positions (log_id, consumer_group, topic, partition, next_offset)"
                        " VALUES ($1, $2, $3, $4, $5)", log.log_id, group, topic.name, partition, end,
                    )  # fmt: skip
    await database.execute("INSERT INTO notes (consumer_group, kind, key) VALUES ('attributor', 'lead', 'x')")
    status = await get(client, "status")
    assert (status["settled"], status["lag"]) == (False, {"identity": 0, "attributor": 0})
    assert status["notes"] == {"identity": 0, "attributor": 1}

    await database.execute("DELETE FROM notes")
    status = await get(client, "status")
    assert status["settled"]
    assert status["rules"] == {"lookback_days": 90, "models": "", "own_domains": [], "timezone": "Europe/Berlin"}


async def test_positions_of_another_log_do_not_count(client, database, settings):
    async with open_log(settings) as log:
        await log.append(EVENTS.name, [(b"a", b"x")])
    await database.execute(
        "INSERT INTO positions (log_id, consumer_group, topic, partition, next_offset)"
        " SELECT gen_random_uuid(), 'identity', 'events', p, 9 FROM generate_series(0, 7) AS p"
    )
    assert (await get(client, "status"))["lag"]["identity"] == 1


async def test_an_outage_is_told_as_one_and_worth_another_try(dsn, database, settings):
    async with (
        connect(dsn, application="reports", read_only=True, statement_seconds=0.2) as reading,
        open_log(settings) as log,
        database.transaction() as connection,
    ):
        await connection.execute("LOCK TABLE rules")
        app = create_app(Store(reading, rules_of(settings)), [log], settings)
        headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://reports", headers=headers
        ) as client:
            answer = await client.get("/api/v1/revenue")
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "5"
            page = await client.get("/")
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")


def test_a_port_in_use_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} cannot be used .*CLOSEDLOOP_REPORTS_PORT"):
            bind("127.0.0.1", port, "REPORTS_PORT")


async def test_the_reports_service_cannot_write(dsn):
    async with connect(dsn, application="reports", read_only=True) as reading:
        with pytest.raises(Exception, match="read-only"):
            await reading.execute("DELETE FROM deals")


async def test_every_answer_is_private_and_framed_by_nobody(client):
    for path in ("/api/v1/status", "/login", "/nowhere"):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_the_api_describes_itself(client):
    paths = (await client.get("/api/v1/openapi.json")).json()["paths"]
    assert "/api/v1/revenue" in paths
    assert "/" not in paths
