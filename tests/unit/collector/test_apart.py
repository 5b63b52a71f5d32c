"""Who is kept apart from people: every bot that is known by its name, and nobody who browses."""

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from collector.apart import AGENT_BYTES, DRIVEN, MAIL_SCANNERS, Apart, apart_of, is_library

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
OWN = {"cookie": "closedloop_visitor=abc; closedloop_own_visits=apart"}


def apart(agent: str | None = CHROME, *, by_script: bool = True, **headers: str) -> str | None:
    """The reason for a call with these headers; an underscore in a name is a dash."""
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if agent is not None:
        sent[b"user-agent"] = agent.encode()
    return apart_of(sent, by_script=by_script)


PEOPLE = [
    CHROME,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/345.0.697394353 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/128.0.6613.88 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/478.0.0.41.86;]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 341.0.3.29.97 (iPhone15,2; iOS 17_5; en_US)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [LinkedInApp]/9.30.1234",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Snapchat/13.5.0.38 (like Safari/8618)",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 trill_350203 AppName/musical_ly BytedanceWebview/d8a21c6",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.0.0 Mobile DuckDuckGo/5 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.40.128 Chrome/128.0.6613.186 Electron/32.2.1 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.42.2460(0x28002A35) NetType/WIFI",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager",
    "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15254",
    "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_people_are_people_in_whatever_browser_or_app(agent):
    assert apart(agent) is None


@pytest.mark.parametrize("by_script", [True, False])
def test_every_bot_that_the_list_knows_by_an_example_is_kept_apart(by_script):
    bots = [
        crawler
        for crawler in CRAWLER_USER_AGENTS_DATA
        if crawler["pattern"] not in DRIVEN and (by_script or not is_library(crawler))
    ]
    samples = [sample for crawler in bots for sample in crawler.get("instances", ())]
    assert len(samples) > 1900
    passed = [sample for sample in samples if apart(sample, by_script=by_script) not in {"bot", "mail_scanner"}]
    assert passed == []


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (GOOGLEBOT, "bot"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "bot"),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "bot"),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), None),
        (CHROME.replace("Chrome/", "HeadlessChrome/") + " Chrome-Lighthouse", "bot"),
        ("python-requests/2.32.3", "bot"),
        ("Mozilla/5.0", "bot"),
        ("  ", "bot"),
        ("", "bot"),
        (None, "bot"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "mail_scanner"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b", "mail_scanner"),
        (f"{CHROME} Edge/12.246", "mail_scanner"),
        (f"{CHROME} Edge/12.246 Gmail-content-sampling", "mail_scanner"),
        ("Microsoft Office Existence Discovery", "mail_scanner"),
        *((f"Mozilla/5.0 (compatible; {name.upper()})", "mail_scanner") for name in MAIL_SCANNERS),
    ],
)  # fmt: skip
def test_a_call_of_the_script_is_judged_by_the_name_that_it_gives(agent, reason):
    assert apart(agent) == reason


@pytest.mark.parametrize(
    ("agent", "reason"),
    [(CHROME, None), (GOOGLEBOT, "bot"), ("Twitterbot/1.0", "bot"), ("Mozilla/5.0", "bot"), ("curl/8.14.1", None),
     ("okhttp/4.12.0", None), ("python-httpx/0.28.1", None), ("", None), (None, None)],
)  # fmt: skip
def test_of_other_calls_with_the_write_key_those_of_a_servers_library_are_nobodys_bot(agent, reason):
    assert apart(agent, by_script=False) == reason


@pytest.mark.parametrize("authorization", ["Basic dGVzdC13cml0ZS1rZXk6", "Bearer some-token"])
def test_a_call_that_authorizes_itself_is_a_servers(authorization):
    headers = OWN | {"sec_purpose": "prefetch"}
    assert apart(GOOGLEBOT, authorization=authorization, **headers) is None


@pytest.mark.parametrize(
    ("header", "value", "reason"),
    [
        ("sec_purpose", "prefetch", "prefetch"),
        ("sec_purpose", "prefetch;prerender", "prefetch"),
        ("sec_purpose", "prefetch;anonymous-client-ip", "prefetch"),
        ("sec_purpose", "Prefetch", "prefetch"),
        ("sec_purpose", "", None),
        ("sec_purpose", "navigate", None),
        ("purpose", "prefetch", "prefetch"),
        ("x_moz", "prefetch", "prefetch"),
        ("x_purpose", "preview", "prefetch"),
        ("x_purpose", "prefetch", "prefetch"),
        ("x_requested_with", "prefetch", None),
    ],
)
@pytest.mark.parametrize("by_script", [True, False])
def test_what_the_browser_fetches_in_advance_nobody_has_seen(header, value, reason, by_script):
    assert apart(CHROME, by_script=by_script, **{header: value}) == reason


def test_the_surest_sign_decides_the_reason():
    signs = {"sec_purpose": "prefetch"}
    scanner = f"{GOOGLEBOT} Mimecast"
    assert apart(scanner, **signs, **OWN) == "own_visit"
    assert apart(scanner, **signs) == "prefetch"
    assert apart(scanner) == "mail_scanner"
    assert [reason.value for reason in Apart] == ["own_visit", "prefetch", "mail_scanner", "bot"]


def test_own_visits_are_kept_apart_in_any_browser_until_the_cookie_goes():
    assert apart(CHROME, **OWN) == "own_visit"
    assert apart(CHROME, by_script=False, **OWN) == "own_visit"
    assert apart(CHROME, cookie="closedloop_visitor=abc") is None


def test_only_the_beginning_of_a_name_without_end_is_read():
    assert apart(CHROME + " " * AGENT_BYTES + "Googlebot/2.1") is None
    assert apart("x" * 60_000) is None
