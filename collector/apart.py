"""Whose events are kept apart from people's: those of bots, mail scanners and prefetches, and a person's own. Pure.

They are logged as any others, with the reason, so that nothing is lost and everything can be counted. What a caller
says of himself is believed: nothing here finds out a bot that poses as an everyday browser.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from schemas.own_visits import is_set


class Apart(StrEnum):
    """Why a call is kept apart, the surest sign first."""

    own_visit = "own_visit"
    """The browser has the cookie of who wants it so."""
    prefetch = "prefetch"
    """The browser says itself that nobody looks at the page yet."""
    mail_scanner = "mail_scanner"
    """Something that opens the links and pictures of a mail before, or instead of, its reader."""
    bot = "bot"


MAIL_SCANNERS: Final = (
    # Parts of their user agents. Gateways that pose as an everyday browser, as most do, cannot be told by any.
    "GoogleImageProxy",  # Gmail's pictures: "(via ggpht.com GoogleImageProxy)"
    "Gmail-content-sampling",  # https://github.com/mssola/user_agent/issues/71
    "YahooMailProxy",  # https://help.yahoo.com/kb/SLN28749.html
    "Yahoo Link Preview",  # https://help.yahoo.com/kb/SLN23615.html
    "BingPreview",  # Outlook.com opens links with it: https://github.com/phpList/phplist3/issues/415
    "Edge/12.246",  # Defender's Safe Links, posing as a browser of 2015: https://github.com/jdavidbakr/mail-tracker/issues/255
    "SafeLinks",
    "Microsoft Office Existence Discovery",  # Office looks at a link before it opens the browser
    "Microsoft Office Protocol Discovery",
    "FastmailUA",  # this and the next: pictures, by the list of crawler-user-agents
    "Shortwave Image Fetcher",
    "Barracuda",  # this and the next: gateways that say their maker's name
    "CiscoSecureEmail",
    "Mimecast",
    "Proofpoint",
    "TrendMicro",
)

AGENT_BYTES: Final = 512
"""How much of a user agent is looked at; the longest of a known bot has 285."""

_MAIL_SCANNER = re.compile("|".join(map(re.escape, MAIL_SCANNERS)), re.IGNORECASE)
_NO_BROWSER = frozenset({"", "Mozilla/5.0"})
"""Browsers always send a name, and more of one."""

_PREFETCH: Final = (
    (b"sec-purpose", b"prefetch"),  # https://wicg.github.io/nav-speculation/prefetch.html; `prefetch;prerender` as well
    (b"purpose", b"prefetch"),  # Chrome and Safari before it
    (b"x-moz", b"prefetch"),  # Firefox before it
    (b"x-purpose", b"pre"),  # `prefetch` or `preview`: older Safari, and Facebook's app
)

LIBRARY: Final = "http-library"
CRAWLING: Final = frozenset(
    {"crawler4j", "colly", "Scrapy", "HTTrack", "phpcrawl", "larbin", "SimpleCrawler", "GoParserBot"}
)
"""The list's tag of libraries, with which servers send events; and those so tagged, by their patterns, that crawl."""

DRIVEN: Final = frozenset({"HeadlessChrome", "Playwright", "Puppeteer", "Selenium"})
"""Browsers on the list that a program drives: a site's own tests, which must see what they send. A bot that hides
changes this name first."""


def is_library(crawler: Mapping[str, Any]) -> bool:
    """Whether this entry of the list is what a server calls with."""
    return LIBRARY in crawler["tags"] and crawler["pattern"] not in CRAWLING


def _any_of(crawlers: Iterable[Mapping[str, Any]]) -> re.Pattern[str]:
    return re.compile("|".join(crawler["pattern"] for crawler in crawlers))


_LISTED = [crawler for crawler in CRAWLER_USER_AGENTS_DATA if crawler["pattern"] not in DRIVEN]
_BOT = _any_of(crawler for crawler in _LISTED if not is_library(crawler))
_LIBRARY = _any_of(crawler for crawler in _LISTED if is_library(crawler))


def apart_of(headers: Mapping[bytes, bytes], *, by_script: bool) -> Apart | None:
    """Why the events of this call are kept apart; None for those of a person, or of a server.

    A call with an `Authorization` header is a server's. Of the others the user agent decides: `curl` or an app's
    library with the write key in the address is a server's too. Where our script is said to have sent the call
    (`by_script`) it is a bot's, and so is one that says nothing: a browser would.
    """
    if headers.get(b"authorization"):
        return None
    if is_set(headers.get(b"cookie", b"")):
        return Apart.own_visit
    for name, purpose in _PREFETCH:
        if name in headers and headers[name].lower().startswith(purpose):
            return Apart.prefetch
    agent = headers.get(b"user-agent", b"")[:AGENT_BYTES].strip()
    return _apart_by_agent(agent, by_script) if agent or by_script else None


@lru_cache(maxsize=4096)
def _apart_by_agent(agent: bytes, by_script: bool) -> Apart | None:
    """By the name that a call gives; cached, because the list has some 1,500 patterns."""
    name = agent.decode("latin-1")
    if _MAIL_SCANNER.search(name):
        return Apart.mail_scanner
    if name in _NO_BROWSER or _BOT.search(name) or (by_script and _LIBRARY.search(name)):
        return Apart.bot
    return None
