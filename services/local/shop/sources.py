"""Where visits come from: what really brought the visitor, and what the address and the referrer show of it."""

import random
from dataclasses import dataclass
from urllib.parse import urlencode

from services.local.shop.history import Reason


@dataclass(frozen=True, slots=True)
class Arrival:
    """One way to the shop. `weight` is how often it occurs, relative to the others."""

    weight: int
    true_channel: str
    seen_channel: str
    referrer: str | None = None
    utm: str = ""
    """`source/medium/campaign` of the address, empty without tags."""
    click_id: str | None = None
    mask: Reason | None = None

    def landing(self, page: str, rng: random.Random) -> str:
        """The address of `page` as this arrival opens it; every click has a click id of its own."""
        names = ("utm_source", "utm_medium", "utm_campaign")
        parameters = dict(zip(names, self.utm.split("/"), strict=True)) if self.utm else {}
        if self.click_id:
            parameters[self.click_id] = f"{rng.getrandbits(96):024x}"
        return f"{page}?{urlencode(parameters)}" if parameters else page


def _plain(
    weight: int, channel: str, referrer: str | None = None, utm: str = "", click_id: str | None = None
) -> Arrival:
    """An arrival that shows what it is."""
    return Arrival(weight, channel, channel, referrer, utm, click_id)


GOOGLE = "https://www.google.com/"

ARRIVALS = (
    _plain(170, "Direct"),
    _plain(170, "Organic Search", GOOGLE),
    _plain(25, "Organic Search", "https://www.bing.com/"),
    _plain(20, "Organic Search", "https://duckduckgo.com/"),
    _plain(90, "Paid Search", GOOGLE, click_id="gclid"),
    _plain(50, "Paid Search", GOOGLE, "google/cpc/brand", "gclid"),
    _plain(25, "Paid Search", "https://www.bing.com/", click_id="msclkid"),
    _plain(45, "Paid Social", "https://l.facebook.com/", "facebook/paid_social/spring-offer", "fbclid"),
    _plain(35, "Paid Social", "https://www.linkedin.com/", click_id="li_fat_id"),
    _plain(40, "Organic Social", "https://www.linkedin.com/"),
    _plain(15, "Organic Social", "android-app://com.linkedin.android/"),
    _plain(20, "Organic Social", "https://www.reddit.com/"),
    _plain(60, "Email", utm="newsletter/email/monthly-news"),
    _plain(20, "Email", utm="crm/email/trial-ends"),
    _plain(10, "Email", "https://mail.google.com/"),
    _plain(35, "AI Assistant", "https://chatgpt.com/"),
    _plain(15, "AI Assistant", "https://www.perplexity.ai/"),
    _plain(40, "Referral", "https://www.cfo-magazine.example/tools/compared"),
    _plain(20, "Referral", "https://blog.bookkeepers.example/2026/our-stack"),
    _plain(35, "Display", "https://www.daily-business.example/", "adnet/display/awareness"),
    _plain(25, "Affiliates", "https://www.tool-deals.example/", "partnernet/affiliate/summer-deal"),
    _plain(20, "Organic Video", "https://www.youtube.com/"),
    _plain(15, "Paid Video", "https://www.youtube.com/", "youtube/cpc/how-to"),
    Arrival(40, "Word of mouth", "Direct", mask=Reason.WORD_OF_MOUTH),
    Arrival(25, "Paid Social", "Organic Social", "https://l.facebook.com/", click_id="fbclid", mask=Reason.UNTAGGED),
    Arrival(25, "Email", "Direct", mask=Reason.UNTAGGED),
)
"""Mixed as a business shop of middling luck sees them. `fbclid` stands on unpaid links too and proves nothing."""

_WEIGHTS = [arrival.weight for arrival in ARRIVALS]


def arrive(rng: random.Random) -> Arrival:
    return rng.choices(ARRIVALS, _WEIGHTS)[0]


def arrive_differently(rng: random.Random, before: Arrival) -> Arrival:
    """An arrival that starts a visit of its own even minutes after `before`, since it shows another source."""
    others = [
        arrival
        for arrival in ARRIVALS
        if arrival.seen_channel not in ("Direct", before.seen_channel) and arrival.referrer != before.referrer
    ]
    return rng.choices(others, [arrival.weight for arrival in others])[0]
