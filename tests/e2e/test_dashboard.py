"""The dashboard in a real Chromium: the way in, the chart, the switches, and texts that try to be more than text.

With DASHBOARD_SCREENSHOT set to a path, a picture of the page is kept there.
"""

import asyncio
import os
import random
import shutil
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import async_playwright, expect

from schemas.visit import DIRECT, Source
from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.http import serve_http
from services.runtime.open_log import open_log
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from tests.rewriting import REWRITES_LEDGER
from tests.state_rows import ADMIN_TOKEN, ID_KEY, PAID, Deal, Visit, put_all, put_lead

TODAY = datetime(2026, 3, 31, 12, tzinfo=UTC)

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</svg><script>alert(1)</script>",
    "</desc></svg><img src=x onerror=alert(1)>",
    "</textarea><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><img src=x onerror=alert(1)>",
    '" onmouseover=alert(1) x="',
    "' autofocus onfocus=alert(1) x='",
    "<img src=x onerror=alert(1)//",
    "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<base href=http://evil.example/>",
    "<form action=http://evil.example/><button>go</button></form>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{{ ''.__class__.__mro__ }}",
    "${alert(1)}",
    "<!--",
    "-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\u2028\u2029</script><script>alert(1)</script>",
    "\u202e)1(trela<",
    "<" * 300,
    "x" * 2000,
]  # fmt: skip


@pytest.fixture
async def page():
    """A tab of a new browser profile, in UTC."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, device_scale_factor=2)
        yield await context.new_page()
        await browser.close()


@pytest.fixture
async def address(dsn, tmp_path, settings_for):
    """The address of reports, served over a real socket."""
    settings = settings_for(dsn, tmp_path, admin_token=ADMIN_TOKEN, id_key=ID_KEY)
    async with serving(dsn, settings) as address:
        yield address


@asynccontextmanager
async def serving(dsn, settings):
    listener = socket.create_server(("127.0.0.1", 0))
    async with connect(dsn, application="reports", read_only=True) as reading, open_log(settings) as log:
        app = create_app(Store(reading, rules_of(settings)), [log], settings, now=lambda: TODAY)
        stopping = asyncio.Event()
        task = asyncio.create_task(serve_http(app, listener, (), stopping))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stopping.set()
        await task


async def log_in(page, address):
    await page.goto(address)
    await page.get_by_label("Admin token").fill(ADMIN_TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


SOURCES = {
    Source("Paid Search", "google", "cpc", "spring launch"): 26,
    Source("Organic Search", "google", "organic"): 24,
    DIRECT: 20,
    Source("Email", "newsletter", "email", "march letter"): 15,
    Source("Organic Social", "linkedin", "social"): 9,
    Source("Referral", "partner.example", "referral"): 7,
    Source("Paid Social", "facebook", "paid_social", "lookalikes"): 6,
    Source("AI Assistant", "chatgpt", "ai-assistant"): 5,
    Source("Display", "adroll", "display", "retargeting"): 4,
}
OWNERS = ("Rita Sommer", "Omar Haddad", "Yuki Tanaka")


async def put_shop(database, seed):
    """A few months of a small shop: people who come back by several channels, and some of whom buy."""
    print(f"seed {seed}")
    draw = random.Random(seed)
    for number in range(140):
        email = f"email:lead{number}@example.org"
        await put_lead(database, email)
        days = sorted(draw.sample(range(80), draw.choice([1, 1, 2, 2, 3, 4, 5, 7])))
        sources = draw.choices(list(SOURCES), weights=list(SOURCES.values()), k=len(days))
        visits = [
            Visit(f"v{number}", f"2026-{1 + day // 28:02}-{1 + day % 28:02} {9 + number % 9:02}:00", source, email)
            for day, source in zip(days, sources, strict=True)
        ]
        await put_all(database, *visits)
        if draw.random() < 0.35:
            closed = f"2026-03-{draw.randint(25, 30)} 15:{number % 60:02}"
            amount = round(draw.lognormvariate(7.6, 0.8)) * 100 + draw.choice([0, 50, 99])
            await put_all(
                database,
                Deal(f"{1000 + number}", amount, closed, owner=draw.choice(OWNERS), provider="hubspot",
                     contacts=(email,), visits=tuple(visits)),
            )  # fmt: skip
    await put_all(database, Deal("1999", 48_000, "2026-03-30 18:00", provider="hubspot", owner="Rita Sommer"))
    await put_all(database, Deal("2000", 125_000, "2026-03-29", currency="USD", provider="hubspot"))


async def test_a_marketer_signs_in_sees_who_earned_the_money_and_switches_the_model(page, address, database):
    await put_shop(database, 5)
    await log_in(page, address)

    chart = page.get_by_role("img", name="Revenue by channel")
    await expect(chart).to_be_visible()
    bars = await chart.locator("g > title").all_text_contents()
    rows = page.get_by_role("table").locator("tbody tr")
    keys = await rows.locator("th").all_text_contents()
    assert [bar.split(":")[0] for bar in bars] == keys[: len(bars)]
    assert "Paid Search" in keys
    assert "Unattributed" in keys
    await expect(page.get_by_text("1,250.00 USD of 1 deal")).to_be_visible()

    linear = await rows.all_text_contents()
    await page.get_by_role("navigation", name="Model").get_by_text("First touch").click()
    await expect(page.locator("[aria-label=Model] [aria-current]")).to_have_text("First touch")
    assert await rows.all_text_contents() != linear
    assert await page.locator("tfoot td").first.text_content() == await page.locator(".won strong").text_content()

    await page.get_by_role("navigation", name="Period").get_by_text("30 days").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Won, 2 Mar 2026 \N{EN DASH} 31 Mar 2026")
    await expect(page.locator("[aria-label=Model] [aria-current]")).to_have_text("First touch")

    await page.get_by_role("link", name="1,250.00 USD of 1 deal").click()
    await expect(page.locator(".won")).to_contain_text("1,250.00 USD")

    await keep_pictures(page, address)


async def keep_pictures(page, address):
    """The page in light, dark and on a telephone, when somebody asked for pictures."""
    path = os.environ.get("DASHBOARD_SCREENSHOT")
    if not path:
        return
    await page.goto(address)
    for name, scheme, width in (("", "light", 1280), ("-dark", "dark", 1280), ("-phone", "light", 400)):
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 900})
        await page.screenshot(path=Path(path).with_stem(Path(path).stem + name), full_page=True)


async def test_the_door_stays_shut_without_the_token(page, address):
    await page.goto(f"{address}/?model=linear")
    assert page.url == f"{address}/login"
    await page.get_by_label("Admin token").fill("not the token")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not the admin token")
    assert await page.context.cookies() == []


async def test_the_session_is_out_of_reach_of_scripts_and_other_sites_and_ends_at_sign_out(page, address):
    await log_in(page, address)
    (cookie,) = await page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Admin token")).to_be_visible()
    assert await page.context.cookies() == []


async def test_a_newcomer_is_shown_the_next_step(page, address):
    await log_in(page, address)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing has happened yet")
    snippet = '<script async src="http://127.0.0.1:8080/loop.js" data-key="test-write-key"></script>'
    await expect(page.locator("pre").first).to_have_text(snippet)
    assert await page.locator("script").count() == 0


async def test_visits_without_a_won_deal_say_what_is_missing(page, address, database):
    await put_all(database, Visit("v1", "2026-03-01", PAID))
    await log_in(page, address)
    await expect(page.get_by_text("No deal was won in this period.")).to_be_visible()
    await expect(page.get_by_role("table").locator("tbody th")).to_have_text(["Paid Search"])


async def test_a_question_that_cannot_be_answered_is_a_page_that_says_so(page, address):
    await log_in(page, address)
    answer = await page.goto(f"{address}/?model=%3Cscript%3Ealert(1)%3C/script%3E")
    assert answer.status == 400
    await expect(page.get_by_text("it is one of first_touch, last_touch, last_non_direct, linear")).to_be_visible()
    assert await page.locator("script").count() == 0


async def put_hostile(database, texts):
    """Every text in every column that a visitor, a campaign or a CRM can fill."""
    for number, text in enumerate(texts):
        source = Source(text, text, text, text, text, text)
        visit = Visit(f"v{number}", f"2026-03-01 10:{number:02}", source, None, text, f"https://{text}/")
        await put_all(
            database, visit, Deal(f"{number} {text}", 1000 - number, owner=text, visits=(visit,), provider=text)
        )


SHAPE = """() => [...document.querySelectorAll('*')].map(
    e => e.tagName + ' ' + [...e.attributes].map(a => a.name).sort().join(' '))"""
LINKS = "() => [...document.querySelectorAll('[href], [src], [action]')].map(e => e.href || e.src || e.action)"


async def shapes(page, address):
    """All kinds of elements, with the names of their attributes, that the page has under every dimension."""
    seen = set()
    for by in ("channel", "source", "medium", "campaign", "content", "term", "landing_page", "referrer", "owner"):
        await page.goto(f"{address}/?{urlencode({'by': by})}")
        seen |= {shape.replace("G transform", "g transform") for shape in await page.evaluate(SHAPE)}
        links = [link if isinstance(link, str) else link.get("baseVal") for link in await page.evaluate(LINKS)]
        assert [link for link in links if not str(link).startswith(f"{address}/")] == []
    return seen


async def test_hostile_titles_campaigns_and_referrers_are_text(page, address, database):
    happened = []
    await log_in(page, address)
    page.on("dialog", lambda dialog: happened.append(dialog.message))
    page.on("console", lambda message: happened.append(message.text))
    page.on("pageerror", lambda error: happened.append(str(error)))
    page.on("request", lambda request: request.url.startswith(address) or happened.append(request.url))

    await put_hostile(database, [f"harmless {number}" for number in range(len(HOSTILE))])
    harmless = await shapes(page, address)
    await database.execute(REWRITES_LEDGER + "TRUNCATE visits, deals, entries, credits")
    await put_hostile(database, HOSTILE)
    assert await shapes(page, address) == harmless

    await page.goto(f"{address}/?by=campaign")
    shown = await page.get_by_role("table").locator("tbody th").all_text_contents()
    assert sorted(shown) == sorted(HOSTILE)
    for element in await page.locator("tbody th, .chip, svg g").all():
        await element.hover(force=True)
    assert happened == []
