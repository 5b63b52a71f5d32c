"""GA4's default channel group: from source, medium and campaign to one of twenty channels.

The rules are Google's for manual traffic (support.google.com/analytics/answer/9756891). The place of its AI Assistant
channel is not published; it stands before Organic Search, as gemini.google.com would else be taken for search.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from identity.lists import find_source
from schemas.visit import DIRECT

INTERNAL: Final = "Internal"
UNASSIGNED: Final = "Unassigned"

_SHOP = re.compile(r"([^a-df-z]|^)shop|shopping")  # e-shop and eshop are shops, a workshop is none
_DISPLAY = {"display", "banner", "expandable", "interstitial", "cpm"}
_SOCIAL = {"social", "social-network", "social-media", "sm", "social network", "social media"}
_EMAIL = {"email", "e-mail", "e_mail", "e mail"}


class _Traffic(NamedTuple):
    """What the rules look at, all in lower case; `listed` is the medium that names the source's list, or nothing."""

    source: str
    medium: str
    campaign: str
    listed: str
    is_paid: bool
    is_shopping: bool


# Top-down, the first that holds.
_RULES: Final[tuple[tuple[str, Callable[[_Traffic], bool]], ...]] = (
    (DIRECT.channel, lambda t: t.source == DIRECT.source and t.medium in {"(none)", "(not set)"}),
    ("Cross-network", lambda t: "cross-network" in t.campaign),
    ("Paid Shopping", lambda t: t.is_paid and t.is_shopping),
    ("Paid Search", lambda t: t.is_paid and t.listed == "organic"),
    ("Paid Social", lambda t: t.is_paid and t.listed == "social"),
    ("Paid Video", lambda t: t.is_paid and t.listed == "video"),
    ("Display", lambda t: t.medium in _DISPLAY),
    ("Paid Other", lambda t: t.is_paid),
    ("Organic Shopping", lambda t: t.is_shopping),
    ("Organic Social", lambda t: t.listed == "social" or t.medium in _SOCIAL),
    ("Organic Video", lambda t: t.listed == "video" or "video" in t.medium),
    ("AI Assistant", lambda t: t.medium == "ai-assistant"),
    ("Organic Search", lambda t: t.listed == "organic" or t.medium == "organic"),
    ("Email", lambda t: t.source in _EMAIL or t.medium in _EMAIL),
    ("Affiliates", lambda t: t.medium == "affiliate"),
    ("Referral", lambda t: t.medium in {"referral", "app", "link"}),
    ("Audio", lambda t: t.medium == "audio"),
    ("SMS", lambda t: "sms" in {t.source, t.medium}),
    (
        "Mobile Push Notifications",
        lambda t: (
            t.medium.endswith("push") or "mobile" in t.medium or "notification" in t.medium or t.source == "firebase"
        ),
    ),
)


def channel_of(source: str, medium: str, campaign: str | None) -> str:
    """Return the channel of a source, medium and campaign, in any case; the source may be an alias or a host."""
    medium, campaign = medium.lower(), (campaign or "").lower()
    listing = find_source(source)
    listed = listing.medium if listing else ""
    is_paid = "cp" in medium or medium in {"ppc", "retargeting"} or medium.startswith("paid")
    is_shopping = listed == "shopping" or _SHOP.search(campaign) is not None
    traffic = _Traffic(source.lower(), medium, campaign, listed, is_paid, is_shopping)
    for channel, holds in _RULES:
        if holds(traffic):
            return channel
    return UNASSIGNED
