"""Which url parameters are click ids, whose they are, and which of them prove that the click was paid for.

One table for two readers: the collector takes click ids out of a url when consent is missing, identity reads the
platform that sent the visitor. Sources: the advertising platforms' own pages on auto-tagging.
"""

from typing import Final, NamedTuple
from urllib.parse import unquote_plus


class ClickId(NamedTuple):
    """Whose click id a parameter is: the platform, by its name as a source, and whether it proves a paid click."""

    platform: str
    paid: bool


CLICK_IDS: Final[dict[str, ClickId]] = {
    # By parameter name in lower case. The order is one of worth: of several in a url the earliest here is *the* click
    # id, so all that prove a paid click come first.
    "gclid": ClickId("google", paid=True),
    "wbraid": ClickId("google", paid=True),  # Google Ads, from the web into an app's measurement, iOS
    "gbraid": ClickId("google", paid=True),
    "dclid": ClickId("google", paid=True),  # Display & Video 360, Campaign Manager 360
    "msclkid": ClickId("bing", paid=True),
    "ttclid": ClickId("tiktok", paid=True),
    "twclid": ClickId("twitter", paid=True),
    "li_fat_id": ClickId("linkedin", paid=True),
    "sccid": ClickId("snapchat", paid=True),  # written ScCid by Snapchat
    "rdt_cid": ClickId("reddit", paid=True),
    "yclid": ClickId("yandex", paid=True),
    "ymclid": ClickId("yandex market", paid=True),
    "qclid": ClickId("quora", paid=True),
    "vmcid": ClickId("yahoo", paid=True),
    "tblci": ClickId("taboola", paid=True),
    "dicbo": ClickId("outbrain", paid=True),
    "obclick_id": ClickId("outbrain", paid=True),
    "ttd_uuid": ClickId("trade desk", paid=True),
    # Google's auto-tagging adds these beside a gclid. Browsers that cut the gclid leave them, and only ads carry them.
    "gad_campaignid": ClickId("google", paid=True),
    "gad_source": ClickId("google", paid=True),
    # These stand on unpaid links too, or say an affiliate's or a newsletter's link: no proof of a paid click.
    "fbclid": ClickId("facebook", paid=False),
    "igshid": ClickId("instagram", paid=False),
    "igsh": ClickId("instagram", paid=False),
    "srsltid": ClickId("google", paid=False),  # Merchant Center's free listings
    "epik": ClickId("pinterest", paid=False),
    "_openstat": ClickId("yandex", paid=False),
    "irclickid": ClickId("impact", paid=False),
    "irclid": ClickId("impact", paid=False),
    "cjevent": ClickId("cj", paid=False),
    "awc": ClickId("awin", paid=False),
    "ransiteid": ClickId("rakuten advertising", paid=False),
    "sscid": ClickId("shareasale", paid=False),
    "wickedid": ClickId("wicked reports", paid=False),
    "mc_cid": ClickId("mailchimp", paid=False),
    "mc_eid": ClickId("mailchimp", paid=False),
    "_hsenc": ClickId("hubspot", paid=False),
    "_hsmi": ClickId("hubspot", paid=False),
    "mkt_tok": ClickId("marketo", paid=False),
    "_kx": ClickId("klaviyo", paid=False),
}


def parameter_name(raw: str) -> str:
    """Return a query parameter's name as it is compared: percent-decoded, in lower case."""
    return unquote_plus(raw).lower() if "%" in raw or "+" in raw else raw.lower()


def strip_click_ids(url: str) -> str:
    """Return the url without its click id parameters, paid or not; everything else stays byte for byte.

    A `?` that nothing follows any more goes too. What stands behind a `#` is no parameter and stays.
    """
    page, hash_mark, fragment = url.partition("#")
    path, _, query = page.partition("?")
    pieces = query.split("&")
    kept = [piece for piece in pieces if parameter_name(piece.partition("=")[0]) not in CLICK_IDS]
    if len(kept) == len(pieces):
        return url
    rest = "&".join(kept)
    return path + ("?" + rest if rest else "") + hash_mark + fragment
