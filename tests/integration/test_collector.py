import asyncio
import base64
import gzip
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from collector import body as body_module
from services.runtime.postgres import Database
from services.runtime.settings import Settings
from tests.collecting import Running, running_collector
from tests.ports import free_ports

compress = partial(gzip.compress, mtime=0)  # the time of day would be in the names of tests

PAGE = {"type": "pageview", "event_id": "e-1", "visitor_id": "v-1", "url": "https://shop.example/"}
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
DEAL = {"type": "deal", "event_id": "d-1", "deal_id": "1001", "stage": "won", "amount": "12.50", "currency": "EUR"}
TRACKER = {"via": "loop.js", "writeKey": "test-write-key"}
"""What our script adds to the address."""


@pytest.fixture
def settings(dsn: str, tmp_path, settings_for: Callable[..., Settings]) -> Settings:
    return settings_for(dsn, tmp_path)


@pytest.fixture
async def collector(settings: Settings) -> AsyncIterator[Running]:
    async with running_collector(settings) as running:
        yield running


@pytest.fixture
async def client(collector: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A server's client: it sends the write key as Basic user name."""
    async with httpx.AsyncClient(base_url=collector.url, auth=("test-write-key", "")) as client:
        yield client


@pytest.fixture
async def browser(collector: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with our script: it names the tracker and the key in the address, and keeps cookies."""
    async with httpx.AsyncClient(base_url=collector.url, params=TRACKER, headers={"user-agent": CHROME}) as browser:
        yield browser


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(PAGE), {}),
        (json.dumps([PAGE]), {"content-type": "application/json"}),
        (json.dumps({"batch": [PAGE]}), {"content-type": "text/plain"}),
        (json.dumps(PAGE), {"content-type": "application/x-www-form-urlencoded"}),
        (json.dumps(PAGE), {"content-type": "multipart/form-data"}),
        (compress(json.dumps(PAGE).encode()), {"content-encoding": "gzip", "content-type": "text/csv"}),
    ],
)
async def test_an_event_is_in_the_log_when_it_is_accepted_in_whatever_wrapping(collector, client, content, headers):
    answer = await client.post("/v1/events", content=content, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    [event] = await collector.logged()
    assert event["event_id"] == "e-1"
    assert event["address"] in {"127.0.0.0", "::"}


async def test_a_batch_is_logged_in_its_order_and_its_bad_events_are_named(collector, client):
    batch = [PAGE | {"event_id": f"e-{number}"} for number in range(20)]
    batch[7] |= {"url": 7}
    answer = await client.post("/v1/events", json={"batch": batch})
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 19
    assert [(item["index"], item["reason"]) for item in answer.json()["rejected"]] == [(7, "invalid_url")]
    assert [event["event_id"] for event in await collector.logged()] == [
        f"e-{number}" for number in range(20) if number != 7
    ]


async def test_a_deal_needs_the_admin_token(collector, client):
    refused = await client.post("/v1/events", json=DEAL)
    assert (refused.status_code, refused.json()["code"]) == (403, "type_needs_admin")
    assert await collector.logged() == []
    async with httpx.AsyncClient(base_url=collector.url) as server:
        token = {"authorization": "Bearer test-admin-token-0123456789"}
        accepted = await server.post("/v1/events", json=[DEAL, PAGE], headers=token)
    assert accepted.status_code == 202
    assert {event["event_id"] for event in await collector.logged()} == {"d-1", "e-1"}


KEYS = [
    ({}, {}, PAGE, 401),
    ({"writeKey": "wrong"}, {}, PAGE, 401),
    ({}, {}, PAGE | {"writeKey": "wrong"}, 401),
    ({"writeKey": "test-write-key"}, {}, PAGE | {"writeKey": "wrong"}, 401),
    ({}, {"authorization": "Bearer test-write-key"}, PAGE, 401),
    ({"writeKey": "test-write-key"}, {}, PAGE, 202),
    ({}, {}, PAGE | {"writeKey": "test-write-key"}, 202),
    ({}, {}, {"batch": [PAGE], "writeKey": "test-write-key"}, 202),
]


async def test_only_the_right_key_lets_events_in(collector):
    logged = 0
    for params, headers, body, status in KEYS:
        async with httpx.AsyncClient(base_url=collector.url) as client:
            answer = await client.post("/v1/events", params=params, headers=headers, json=body)
        assert answer.status_code == status
        logged += status == 202
        assert len(await collector.logged()) == logged
        assert "www-authenticate" not in answer.headers  # a browser would ask its user for a password


async def test_an_outage_of_the_log_is_503_and_the_same_event_is_taken_when_it_is_over(settings, database: Database):
    async with running_collector(settings, append_seconds=0.5) as collector:
        async with httpx.AsyncClient(base_url=collector.url, params={"writeKey": "test-write-key"}) as client:
            async with database.transaction() as connection:
                await connection.execute("LOCK TABLE log.heads, log.batches")
                answer = await client.post("/v1/events", json=PAGE)
                assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
                assert 1 <= int(answer.headers["retry-after"]) <= 3
            again = await client.post("/v1/events", json=PAGE)
        assert again.status_code == 202
        assert "e-1" in {event["event_id"] for event in await collector.logged()}


async def test_the_first_call_of_the_tracker_sets_the_visitors_cookie_and_later_ones_do_not_renew_it(
    collector, browser
):
    first = await browser.post("/v1/events", json={"type": "pageview", "event_id": "e-1"})
    second = await browser.post("/v1/events", json={"type": "form", "event_id": "e-2"})
    cookie = first.headers["set-cookie"]
    assert cookie.endswith("; Max-Age=34128000; Path=/; HttpOnly; SameSite=Lax")
    assert "set-cookie" not in second.headers
    events = await collector.logged()
    assert {event["visitor_id"] for event in events} == {cookie.partition("=")[2].partition(";")[0]}


async def test_a_first_call_that_is_repeated_is_the_same_visitor(collector, browser):
    for _ in range(2):
        await browser.post("/v1/events", json={"type": "pageview", "event_id": "e-1"})
        browser.cookies.clear()
    first, second = await collector.logged()
    assert first["visitor_id"] == second["visitor_id"]


async def test_a_browser_that_signals_no_gets_no_cookie_and_leaves_no_visitor(collector, browser):
    item = {"type": "pageview", "event_id": "e-1", "visitor_id": "v-1", "url": "https://shop.example/?gclid=x"}
    answer = await browser.post("/v1/events", json=item, headers={"sec-gpc": "1"})
    assert "set-cookie" not in answer.headers
    [event] = await collector.logged()
    assert "visitor_id" not in event
    assert event["url"] == "https://shop.example/"
    assert event["consent"] == {"analytics": False, "marketing": False}


async def test_do_not_track_is_honoured_where_the_operator_wishes_it(dsn, tmp_path, settings_for):
    for number, (honour_dnt, visitor) in enumerate(((False, "v-1"), (True, None))):
        folder = tmp_path / str(number)
        async with running_collector(settings_for(dsn, folder, honour_dnt=honour_dnt)) as running:
            async with httpx.AsyncClient(base_url=running.url, params=TRACKER) as client:
                headers = {"dnt": "1", "user-agent": CHROME}
                await client.post("/v1/events", json=PAGE | {"event_id": f"e-{number}"}, headers=headers)
            assert (await running.wait_for(number + 1))[-1].get("visitor_id") == visitor


async def test_the_cookie_travels_only_encrypted_where_the_public_address_is_https(dsn, tmp_path, settings_for):
    settings = settings_for(dsn, tmp_path, public_url="https://collector.shop.example")
    async with running_collector(settings) as running, httpx.AsyncClient(base_url=running.url) as client:
        agent = {"user-agent": CHROME}
        answer = await client.post("/v1/events", json={"type": "pageview"}, params=TRACKER, headers=agent)
        assert answer.headers["set-cookie"].endswith("; Secure")


APART = [
    ({"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}, "bot"),
    ({"user-agent": f"{CHROME} Mimecast"}, "mail_scanner"),
    ({"sec-purpose": "prefetch;prerender"}, "prefetch"),
    ({"cookie": "closedloop_own_visits=apart"}, "own_visit"),
]


async def test_who_is_no_visitor_is_answered_and_logged_as_any_other_but_kept_apart_and_not_remembered(
    collector, browser
):
    for headers, reason in APART:
        item = {"type": "form", "event_id": reason, "form": {"fields": {"email": "ann@example.org"}}}
        answer = await browser.post("/v1/events", json=item, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
        assert "set-cookie" not in answer.headers
    events = {event["event_id"]: event for event in await collector.logged()}
    assert {event_id: event["kept_apart"] for event_id, event in events.items()} == {why: why for _, why in APART}
    assert {event["person"]["email"] for event in events.values()} == {"ann@example.org"}
    assert all("visitor_id" in event for event in events.values())


async def test_a_servers_call_is_never_kept_apart(collector, client):
    for number, headers in enumerate((*(headers for headers, _ in APART), {"user-agent": "python-requests/2.32"})):
        await client.post("/v1/events", json=PAGE | {"event_id": f"e-{number}"}, headers=headers)
    events = await collector.logged()
    assert len(events) == len(APART) + 1
    assert all("kept_apart" not in event for event in events)


async def test_whoever_wishes_keeps_the_visits_of_his_browser_apart_and_lets_them_count_again(collector, browser):
    kept = []
    for on, word in ((None, "are counted"), (1, "are kept apart"), (0, "are counted")):
        if on is not None:
            answer = await browser.post("/v1/own-visits", params={"on": on}, headers={"origin": collector.url})
            assert (answer.status_code, answer.headers["location"]) == (303, "/v1/own-visits")
        assert word in (await browser.get("/v1/own-visits")).text
        await browser.post("/v1/events", json=PAGE | {"event_id": f"e-{on}"})
        kept.append((await collector.logged())[-1].get("kept_apart"))
    assert kept == [None, "own_visit", None]


async def test_another_sites_page_can_neither_press_that_button_nor_frame_it(browser):
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        answer = await browser.post("/v1/own-visits", params={"on": 1}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
        assert "set-cookie" not in answer.headers
    page = await browser.get("/v1/own-visits", params={"on": 1})
    assert "set-cookie" not in page.headers
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_the_collector_declares_that_it_honours_global_privacy_control(client):
    answer = await client.get("/.well-known/gpc.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"gpc": True, "lastUpdate": "2026-11-22"}


async def test_a_servers_call_gets_no_cookie(client):
    answer = await client.post("/v1/events", json={"type": "pageview", "event_id": "e-1"})
    assert "set-cookie" not in answer.headers


async def test_a_page_of_any_site_may_send_and_is_told_so(client):
    origin = {"origin": "https://shop.example"}
    preflight = await client.options("/v1/events", headers=origin | {"access-control-request-method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-max-age"] == "86400"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    for answer in (
        preflight,
        await client.post("/v1/events", json=PAGE, headers=origin),
        await client.post("/v1/events", json={}, headers=origin),
        await client.post("/v1/events", json=PAGE, params={"writeKey": "wrong"}, headers=origin),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "Origin"


REFUSED = [
    (b"a" * 600_000, {}, 413, "body_too_large"),
    (b"a" * 10_000_000, {}, 413, "body_too_large"),
    (compress(b"a" * 20_000_000, 1), {"content-encoding": "gzip"}, 413, "body_too_large"),
    (json.dumps([PAGE] * 501).encode(), {}, 413, "batch_too_long"),
    (json.dumps(PAGE | {"title": "x" * 33_000}).encode(), {}, 413, "event_too_large"),
    (b"{}", {"content-encoding": "br"}, 415, "encoding_unsupported"),
    (b"{}", {"content-encoding": "gzip"}, 400, "invalid_gzip"),
    (b"", {}, 400, "invalid_json"),
    (b'{"type":"pageview","title":"\xff"}', {}, 400, "invalid_utf8"),
    (b'{"type":"pageview","title":"\\u0000"}', {}, 400, "nul_character"),
    (b"[" * 100_000, {}, 400, "too_deep"),
    (b'{"type":"pageview","n":' + b"9" * 5000 + b"}", {}, 400, "number_too_large"),
    (b'{"type":"nonsense"}', {}, 400, "type_unknown"),
]


async def test_what_is_too_much_or_no_event_is_refused_with_its_code(client):
    for content, headers, status, code in REFUSED:
        answer = await client.post("/v1/events", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["rejected"] == [] or answer.json()["rejected"][0]["reason"] == code
        again = await client.post("/v1/events", json=PAGE)
        assert again.status_code == 202


async def raw_answer(collector: Running, head: str, *pieces: bytes) -> str:
    """What comes back on a bare connection, until the collector closes it."""
    port = int(collector.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode())
    for piece in pieces:
        writer.write(piece)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.decode()


async def test_a_body_that_never_ends_is_given_up(collector, monkeypatch):
    monkeypatch.setattr(body_module, "DEADLINE_SECONDS", 0.2)
    head = "POST /v1/events HTTP/1.1\nHost: x\nContent-Length: 1000\n\n"
    answer = await raw_answer(collector, head, b'{"type":')
    assert answer.startswith("HTTP/1.1 408 ")
    assert "connection: close" in answer
    head = "POST /v1/events HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n"
    answer = await raw_answer(collector, head, b"4\r\n[1, \r\n")
    assert answer.startswith("HTTP/1.1 408 ")


NOTHING_ELSE = [
    ("GET", "/v1/events", 405, "method_not_allowed"),
    ("PUT", "/v1/events", 405, "method_not_allowed"),
    ("GET", "/v1/crm/webhook", 405, "method_not_allowed"),
    ("POST", "/loop.js", 405, "method_not_allowed"),
    ("GET", "/", 404, "not_found"),
    ("GET", "/docs", 404, "not_found"),
    ("GET", "/openapi.json", 404, "not_found"),
    ("GET", "/metrics", 404, "not_found"),
    ("POST", "/v1/crm/hubspot", 404, "not_found"),
]


async def test_there_is_nothing_else_on_the_public_listener(client):
    for method, path, status, code in NOTHING_ELSE:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "server" not in answer.headers


async def post_webhook(client: httpx.AsyncClient, settings: Settings, body: Any, **changes: str) -> httpx.Response:
    content = json.dumps(body)
    now = datetime.now(UTC)
    webhook = Webhook(settings.webhook_secret.get_secret_value())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, content),
    }
    return await client.post("/v1/crm/webhook", content=content, headers=headers | changes)


async def test_a_signed_webhook_is_a_deal_in_the_log(collector, client, settings):
    body = {"type": "deal.updated", "timestamp": "2026-03-20T16:30:00Z", "data": {**DEAL, "provider": "erp"}}
    answer = await post_webhook(client, settings, body)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    [event] = await collector.logged()
    assert (event["event_id"], event["provider"], event["stage"]) == ("msg_1", "erp", "won")
    assert "address" not in event


async def test_a_webhook_that_is_not_signed_by_us_or_is_no_deal_is_refused(collector, client, settings):
    body = {"type": "deal.updated", "data": DEAL}
    wrong = "v1," + base64.b64encode(b"x" * 32).decode()
    for answer, status, code in (
        (await post_webhook(client, settings, body, **{"webhook-signature": wrong}), 401, "signature_wrong"),
        (await post_webhook(client, settings, body, **{"webhook-id": "msg_2"}), 401, "signature_wrong"),
        (await client.post("/v1/crm/webhook", json=body), 401, "signature_wrong"),
        (await post_webhook(client, settings, {"type": "invoice.paid", "data": DEAL}), 400, "type_unknown"),
        (await post_webhook(client, settings, {**body, "data": {"deal_id": "1"}}), 400, "invalid_stage"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await collector.logged() == []


async def test_the_script_is_cached_for_an_hour_and_then_asked_for_by_its_tag(client):
    answer = await client.get("/loop.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["content-encoding"] == "gzip"
    plain = await client.get("/loop.js", headers={"accept-encoding": "identity"})
    assert (plain.content, plain.headers.get("content-encoding")) == (answer.content, None)
    for tag in (answer.headers["etag"], "W/" + answer.headers["etag"]):
        unchanged = await client.get("/loop.js", headers={"if-none-match": tag})
        assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_health_tells_alive_and_ready(collector, client):
    assert (await client.get("/healthz")).status_code == 200
    collector.health.set("log", ok=False, detail="does not answer")
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    collector.health.set("log", ok=True)
    assert (await client.get("/readyz")).status_code == 200


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    named = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "DATA_DIR": str(settings.data_dir),
        "WRITE_KEY": settings.write_key,
        "ADMIN_TOKEN": settings.admin_token.get_secret_value(),
        "ID_KEY": settings.id_key.get_secret_value(),
        "WEBHOOK_SECRET": settings.webhook_secret.get_secret_value(),
        "PORT": str(free_ports(1)),
        "OPS_PORT": str(free_ports(1)),
    }
    return dict(os.environ) | {f"CLOSEDLOOP_{name}": value for name, value in (named | changes).items()}


async def start_process(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "collector"),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def wait_until_ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(20):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def test_the_process_takes_events_tells_its_metrics_and_stops_clean_on_a_signal(settings):
    env = environment(settings)
    url = f"http://127.0.0.1:{env['CLOSEDLOOP_PORT']}"
    process = await start_process(env)
    try:
        await wait_until_ready(url)
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{url}/v1/events", json=PAGE, params={"writeKey": settings.write_key})
            metrics = await client.get(f"http://127.0.0.1:{env['CLOSEDLOOP_OPS_PORT']}/metrics")
        assert answer.status_code == 202
        assert 'closedloop_collector_events_accepted_total{type="pageview"} 1.0' in metrics.text
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        stdout, stderr = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, stderr) == (0, b"")
    for line in stdout.splitlines():
        assert PAGE["visitor_id"] not in json.loads(line).values()


async def test_a_port_in_use_a_wrong_secret_and_a_missing_key_are_one_clear_line(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        changes = (
            {"PORT": str(taken.getsockname()[1])},
            {"WEBHOOK_SECRET": "whsec_" + "a" * 5},
            {"WRITE_KEY": ""},
        )
        for change, word, code in zip(
            changes, ("CLOSEDLOOP_PORT", "WEBHOOK_SECRET", "WRITE_KEY"), (1, 78, 78), strict=True
        ):
            process = await start_process(environment(settings, **change))
            _, stderr = await asyncio.wait_for(process.communicate(), 20)
            assert process.returncode == code
            assert len(stderr.splitlines()) == 1
            assert word in stderr.decode()
