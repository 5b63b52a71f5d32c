"""The reports API on rows of the state: deals and their credits, leads, how current all is, and who may read it."""

import socket
from urllib.parse import quote

import httpx
import pytest

from schemas.credit import MODELS
from schemas.topics import DEALS, EVENTS
from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.http import bind
from services.runtime.open_log import open_log
from services.runtime.postgres import connect
from services.runtime.rules import fingerprint_of_lists, rules_of
from services.runtime.settings import StartError
from tests.asking import ANN, FIRST, SECOND, THIRD, asking, berlin_settings, get, refusal
from tests.state_rows import ADMIN_TOKEN, MAIL, Deal, Visit, id_of, put_all, put_lead

settings = pytest.fixture(berlin_settings)
client = pytest.fixture(asking)


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
    assert status["rules"] == {
        "lookback_days": 90,
        "own_domains": [],
        "timezone": "Europe/Berlin",
        "models": "",
        "lists": fingerprint_of_lists(),
    }


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
