"""loop.js in the real Chromium, on pages of a site, against the real collector."""

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from services.runtime.settings import Settings
from tests.collecting import Running, running_collector

TAG = '<script async src="{collector}/loop.js" data-key="test-write-key"></script>'
STUB = (
    "<script>window.closedloop = function () { (closedloop.q = closedloop.q || []).push(arguments) };{calls}</script>"
)

HOME = "<title>Home</title><h1>Shop</h1><a href='/shoes'>Shoes</a>"
CONTACT = """<title>Contact</title>
<form id="contact" action="/thanks" method="get">
  <input name="id" value="shadows the form's own id">
  <input name="name" value="Ann Example">
  <input name="your-address" type="email" value="Ann@Example.org">
  <input name="password" type="password" value="secret-1">
  <input name="token" type="hidden" value="secret-2">
  <input name="card" autocomplete="cc-number" value="secret-3">
  <input name="code" autocomplete="one-time-code" value="secret-4">
  <div data-closedloop-ignore><input name="diagnosis" value="secret-5"></div>
  <input name="newsletter" type="checkbox" value="yes" checked>
  <input name="terms" type="checkbox" value="secret-6">
  <textarea name="message">Do you have size 38?</textarea>
  <button name="go" value="secret-7">Send</button>
</form>
<form id="search" data-closedloop-ignore action="/found"><input name="q"><button>Find</button></form>"""


BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
"""A person's."""


class Site:
    """A website of one handler: pages by path, each with the tag of the script."""

    def __init__(self, collector: str) -> None:
        self.url = ""
        self.policy = ""
        self.collector = collector
        self.tag = TAG.format(collector=collector)
        self.pages = {
            "/": HOME,
            "/shoes": "<title>Shoes</title>",
            "/contact": CONTACT,
            "/thanks": "<title>Thanks</title>",
        }

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        page = self.pages.get(head.split()[1].partition("?")[0])
        status = HTTPStatus.OK if page else HTTPStatus.NOT_FOUND
        body = f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>{self.tag}{page}".encode()
        policy = f"Content-Security-Policy: {self.policy}\r\n" if self.policy else ""
        writer.write(
            f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/html\r\n{policy}"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def running_site(collector: str) -> AsyncIterator[Site]:
    site = Site(collector)
    async with await asyncio.start_server(site.answer, "127.0.0.1", 0) as server:
        site.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        yield site


@pytest.fixture
async def collector(dsn: str, tmp_path, settings_for: Callable[..., Settings]) -> AsyncIterator[Running]:
    async with running_collector(settings_for(dsn, tmp_path)) as running:
        yield running


@pytest.fixture
async def site(collector: Running) -> AsyncIterator[Site]:
    async with running_site(collector.url) as site:
        yield site


@pytest.fixture
async def visitor() -> AsyncIterator[BrowserContext]:
    """A browser without a past."""
    async with new_browser(user_agent=BROWSER) as context:
        yield context


@asynccontextmanager
async def new_browser(**options: Any) -> AsyncIterator[BrowserContext]:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if root else []
        )
        context = await browser.new_context(**options)
        context.set_default_timeout(15_000)
        yield context
        await browser.close()


async def visitor_cookie(visitor: BrowserContext) -> dict[str, Any] | None:
    cookies = {cookie["name"]: cookie for cookie in await visitor.cookies()}
    return cookies.get("closedloop_visitor")


async def open_page(visitor: BrowserContext, url: str, **options: Any) -> Page:
    """The page, loaded; whatever goes wrong in it fails the test."""
    page = await visitor.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page broke: {error}"))
    await page.goto(url, **options)
    return page


async def test_page_views_arrive_with_one_visitor_whose_cookie_no_script_can_read(collector, site, visitor):
    page = await open_page(visitor, f"{site.url}/?utm_source=google&utm_medium=cpc", referer="https://www.google.com/")
    [first] = await collector.wait_for(1)
    await page.click("text=Shoes")
    _, second = await collector.wait_for(2)
    assert (first["type"], first["title"]) == ("pageview", "Home")
    assert first["url"] == f"{site.url}/?utm_source=google&utm_medium=cpc"
    assert first["referrer"] == "https://www.google.com/"
    assert (second["title"], second["referrer"]) == ("Shoes", first["url"])
    cookie = await visitor_cookie(visitor)
    assert first["visitor_id"] == second["visitor_id"] == cookie["value"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert (
        await page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)") == "{}{}"
    )


async def test_a_submitted_form_arrives_without_its_secrets(collector, site, visitor):
    page = await open_page(visitor, f"{site.url}/contact")
    await collector.wait_for(1)
    await page.click("text=Send")
    await page.wait_for_url("**/thanks*")
    events = await collector.wait_for(3)
    [form] = [event for event in events if event["type"] == "form"]
    assert form["form"] == {"id": "contact", "email_fields": ["your-address"]}
    assert form["person"] == {
        "fields": {
            "id": "shadows the form's own id",
            "name": "Ann Example",
            "your-address": "Ann@Example.org",
            "newsletter": "yes",
            "message": "Do you have size 38?",
        },
        "email": "Ann@Example.org",
    }
    assert "secret" not in str({name: value for name, value in form.items() if name != "url"})
    assert len({event["visitor_id"] for event in events}) == 1


async def test_a_form_sent_before_the_first_answer_is_still_the_same_visitors(collector, site, visitor, database):
    page = await open_page(visitor, f"{site.url}/")
    await collector.wait_for(1)
    await visitor.clear_cookies()
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE log.heads")  # a log that is slow to answer
        await page.goto(f"{site.url}/contact")
        await page.click("text=Send")
        await page.wait_for_url("**/thanks*")
    events = [event for event in await collector.wait_for(4) if event["title"] == "Contact"]
    assert {event["type"] for event in events} == {"pageview", "form"}
    assert len({event["visitor_id"] for event in events}) == 1


async def test_a_form_that_is_to_be_ignored_is_no_event(collector, site, visitor):
    page = await open_page(visitor, f"{site.url}/contact")
    site.pages["/found"] = "<title>Found</title>"
    await page.click("text=Find")
    await page.wait_for_url("**/found*")
    events = await collector.wait_for(2)
    assert [event["type"] for event in events] == ["pageview", "pageview"]


async def test_a_single_page_apps_moves_are_page_views_with_the_page_before_as_referrer(collector, site, visitor):
    page = await open_page(visitor, f"{site.url}/", referer="https://chatgpt.com/")
    await collector.wait_for(1)
    await page.evaluate("history.pushState({}, '', '/a'); document.title = 'A'")
    await collector.wait_for(2)
    await page.evaluate("history.replaceState({}, '', '/a'); location.hash = 'part'")
    await page.evaluate("history.replaceState({}, '', '/b'); document.title = 'B'")
    await collector.wait_for(3)
    await page.evaluate("history.back()")
    await page.wait_for_function("location.hash === ''")
    await page.evaluate("history.pushState({}, '', '/c')")
    events = await collector.wait_for(5)
    moves = [(event["url"].removeprefix(site.url), event["referrer"].removeprefix(site.url)) for event in events]
    assert moves == [("/", "https://chatgpt.com/"), ("/a", "/"), ("/b", "/a"), ("/a", "/b"), ("/c", "/a")]
    assert [event["title"] for event in events[:3]] == ["Home", "A", "B"]


async def test_without_consent_no_visitor_leaves_the_browser_and_none_is_kept_in_it(collector, site, visitor):
    site.tag = site.tag.replace("async", 'async data-consent="denied"')
    page = await open_page(visitor, f"{site.url}/?gclid=abc&color=blue")
    [first] = await collector.wait_for(1)
    assert "visitor_id" not in first
    assert first["url"] == f"{site.url}/?color=blue"
    assert first["consent"] == {"analytics": False, "marketing": False}
    assert await visitor_cookie(visitor) is None
    await page.evaluate("closedloop('consent', {analytics: true, marketing: false})")
    _, second = await collector.wait_for(2)
    assert second["visitor_id"] == (await visitor_cookie(visitor))["value"]
    assert second["url"] == f"{site.url}/?gclid=abc&color=blue"
    assert second["consent"] == {"analytics": True, "marketing": False}


async def test_a_browser_with_global_privacy_control_leaves_no_visitor_unless_the_visitor_consents(collector, site):
    async with new_browser(user_agent=BROWSER, extra_http_headers={"Sec-GPC": "1"}) as visitor:
        page = await open_page(visitor, f"{site.url}/?gclid=abc")
        [first] = await collector.wait_for(1)
        assert "visitor_id" not in first
        assert (first["url"], first["consent"]) == (f"{site.url}/", {"analytics": False, "marketing": False})
        assert await visitor_cookie(visitor) is None
        await page.evaluate("closedloop('consent', {analytics: true, marketing: true}); closedloop('page')")
        _, second = await collector.wait_for(2)
        assert second["visitor_id"] == (await visitor_cookie(visitor))["value"]


async def test_a_bot_that_runs_scripts_is_kept_apart_and_gets_no_cookie(collector, site):
    async with new_browser(user_agent=f"{BROWSER} (compatible; Googlebot/2.1)") as bot:
        await open_page(bot, f"{site.url}/")
        [event] = await collector.wait_for(1)
        assert event["kept_apart"] == "bot"
        assert await visitor_cookie(bot) is None


async def test_a_sites_own_test_in_a_browser_without_a_window_sees_what_it_sends(collector, site):
    async with new_browser() as headless:
        await open_page(headless, f"{site.url}/")
        [event] = await collector.wait_for(1)
        assert "kept_apart" not in event
        assert await visitor_cookie(headless) is not None


async def test_ones_own_visits_are_kept_apart_from_the_press_of_a_button_to_the_next(collector, site, visitor):
    switch = await open_page(visitor, f"{collector.url}/v1/own-visits")
    kept = []
    for button in ("Keep my visits apart", "Count my visits again"):
        await switch.get_by_role("button", name=button).click()
        await switch.get_by_role("button", name=button).wait_for(state="hidden")
        page = await open_page(visitor, f"{site.url}/")
        kept.append((await collector.wait_for(len(kept) + 1))[-1].get("kept_apart"))
        await page.close()
    assert kept == ["own_visit", None]


async def test_the_page_tells_who_it_is_and_what_happened_also_before_the_script_has_loaded(collector, site, visitor):
    calls = "closedloop('identify', {user_id: '42', email: 'ann@example.org'})"
    site.tag = STUB.replace("{calls}", calls) + site.tag
    page = await open_page(visitor, f"{site.url}/")
    await collector.wait_for(2)
    await page.evaluate(
        "closedloop('track', 'added to cart', {sku: '42-38'}); closedloop('page'); closedloop('nonsense')"
    )
    events = await collector.wait_for(4)
    assert sorted(event["type"] for event in events) == ["custom", "identify", "pageview", "pageview"]
    told = {event["type"]: event for event in events}
    assert told["identify"]["person"] == {"user_id": "42", "email": "ann@example.org"}
    assert (told["custom"]["name"], told["custom"]["properties"]) == ("added to cart", {"sku": "42-38"})
    assert len({event["visitor_id"] for event in events}) == 1


async def test_what_could_not_be_sent_is_sent_again_with_the_same_id(collector, site, visitor):
    page = await visitor.new_page()
    tries: list[str] = []

    async def fail_twice(route: Any) -> None:
        tries.append(route.request.post_data_json["batch"][0]["event_id"])
        if len(tries) == 1:
            await route.abort()
        elif len(tries) == 2:
            await route.fulfill(status=503)
        else:
            await route.continue_()

    await page.route("**/v1/events*", fail_twice)
    await page.goto(f"{site.url}/")
    [event] = await collector.wait_for(1, seconds=20)
    assert tries == [event["event_id"]] * 3


async def test_a_strict_content_security_policy_lets_it_work(collector, site, visitor):
    site.policy = f"default-src 'none'; script-src {site.collector}; connect-src {site.collector}; img-src data:"
    await open_page(visitor, f"{site.url}/")
    assert len(await collector.wait_for(1)) == 1


async def test_a_page_without_a_key_is_left_alone(collector, site, visitor):
    site.tag = site.tag.replace(' data-key="test-write-key"', "")
    page = await open_page(visitor, f"{site.url}/")
    assert await page.evaluate("typeof window.closedloop") == "undefined"
    assert await collector.logged() == []


def test_the_script_stays_under_three_kilobytes_as_it_travels():
    script = files("collector.tracker").joinpath("loop.js").read_bytes()
    assert len(gzip.compress(script)) < 3 * 1024
