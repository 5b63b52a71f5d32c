"""Who is no visitor, from the call to the reports: logged, counted by reason, and part of nothing else."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from tests.collecting import running_collector
from tests.e2e.in_process import running_loop

TRACKER = {"via": "loop.js", "writeKey": "test-write-key"}
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
PERSON = {"user-agent": CHROME}
GOOGLEBOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
TODAY = datetime(2026, 3, 31, 12, tzinfo=UTC)

SENT = [
    (PERSON, "ann@example.org", "v-ann"),
    (GOOGLEBOT, "googlebot@example.org", "v-bot-1"),
    (GOOGLEBOT, None, "v-bot-2"),
    (GOOGLEBOT, None, "v-bot-2"),
    (PERSON | {"cookie": "closedloop_own_visits=apart"}, "me@shop.example", "v-me"),
    (PERSON | {"sec-purpose": "prefetch"}, None, "v-ann"),
    (PERSON | {"sec-gpc": "1"}, "gil@example.org", "v-gil"),
]
"""Who calls, the address in the form if there is one, and the visitor."""


@asynccontextmanager
async def reports(settings, base_url="http://reports"):
    """A client of the reports, signed in."""
    dsn = settings.database_url.get_secret_value()
    headers = {"authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
    async with connect(dsn, application="reports", read_only=True) as reading:
        app = create_app(Store(reading, rules_of(settings)), [], settings, now=lambda: TODAY)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as client:
            yield client


@pytest.fixture
def settings(dsn, tmp_path, settings_for):
    return settings_for(dsn, tmp_path)


async def test_what_is_kept_apart_makes_no_visit_and_no_lead_and_is_told_by_reason(settings):
    async with running_loop(settings) as loop, running_collector(settings) as collector:
        async with httpx.AsyncClient(base_url=collector.url, params=TRACKER) as client:
            for number, (headers, email, visitor) in enumerate(SENT):
                item = {
                    "type": "form" if email else "pageview",
                    "event_id": f"e-{number}",
                    "occurred_at": f"2026-03-10T12:0{number}:00Z",
                    "visitor_id": visitor,
                    "url": "https://shop.example/?gclid=abc",
                    "form": {"fields": {"email": email}} if email else None,
                }
                assert (await client.post("/v1/events", json=item, headers=headers)).status_code == 202
        await loop.settle()

    async with reports(settings) as client:
        leads = {}
        for email in ("ann@example.org", "googlebot@example.org", "me@shop.example", "gil@example.org"):
            leads[email] = (await client.get("/api/v1/leads", params={"email": email})).json()["leads"]
        assert [email for email, found in leads.items() if found] == ["ann@example.org", "gil@example.org"]
        touches = {}
        for email, found in leads.items():
            for lead in found:
                journey = (await client.get(f"/api/v1/leads/{lead['lead_id']}/journey")).json()
                touches[email] = [touch["visitor_id"] for touch in journey["touches"]]
        assert touches == {"ann@example.org": ["v-ann"], "gil@example.org": []}
        assert (await client.get("/api/v1/revenue")).json()["totals"]["visits"] == 1

        told = (await client.get("/api/v1/kept-apart", params={"from": "2026-03-10", "to": "2026-03-11"})).json()
        assert told == {
            "from": "2026-03-10",
            "to": "2026-03-11",
            "rows": [
                {"reason": "bot", "events": 3, "visitors": 2},
                {"reason": "own_visit", "events": 1, "visitors": 1},
                {"reason": "prefetch", "events": 1, "visitors": 1},
            ],
        }
        assert (await client.get("/api/v1/kept-apart", params={"from": "2026-03-11"})).json()["rows"] == []
        page = (await client.get("/kept-apart")).text
        assert "Kept apart in the last 30 days" in page
        assert page.index("Bots") < page.index("Own visits") < page.index("Fetched in advance")


async def test_the_dashboards_switch_is_the_collectors_cookie_where_both_run_on_one_host(settings):
    async with running_collector(settings) as collector, reports(settings, "http://127.0.0.1:8081") as dashboard:
        assert "Keep my visits apart" in (await dashboard.get("/kept-apart")).text
        answer = await dashboard.post("/own-visits", params={"on": 1}, headers={"origin": "http://127.0.0.1:8081"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/kept-apart")
        assert "Count my visits again" in (await dashboard.get("/kept-apart")).text
        cookies = {name: value for name, value in dashboard.cookies.items() if name == "closedloop_own_visits"}
        async with httpx.AsyncClient(base_url=collector.url, params=TRACKER, cookies=cookies) as browser:
            await browser.post("/v1/events", json={"type": "pageview", "visitor_id": "v-me"}, headers=PERSON)
        [event] = await collector.logged()
        assert event["kept_apart"] == "own_visit"
        await dashboard.post("/own-visits", params={"on": 0})
        assert "closedloop_own_visits" not in dashboard.cookies
        assert "Keep my visits apart" in (await dashboard.get("/kept-apart")).text


async def test_from_another_host_the_dashboard_leads_to_the_collectors_own_switch(settings_for, dsn, tmp_path):
    settings = settings_for(dsn, tmp_path, public_url="https://collect.shop.example")
    async with reports(settings, "https://reports.shop.example") as dashboard:
        page = (await dashboard.get("/kept-apart")).text
        assert 'href="https://collect.shop.example/v1/own-visits"' in page
        assert "<button" not in page


async def test_the_switch_is_for_who_signed_in_and_on_its_own_page(settings):
    async with reports(settings) as dashboard:
        answer = await dashboard.post("/own-visits", params={"on": 1}, headers={"origin": "https://evil.example"})
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        dashboard.headers.pop("authorization")
        for answer in (await dashboard.get("/kept-apart"), await dashboard.post("/own-visits", params={"on": 1})):
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
            assert "set-cookie" not in answer.headers
