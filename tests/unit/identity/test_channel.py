"""Where a hit came from: UTM parameters beat click ids, click ids beat the referrer."""

from urllib.parse import quote

import pytest

from identity.channel import arrive, classify

SHOP = "https://www.shop.example/landing"
GOOGLE = "https://www.google.com/"
PARTNER = "https://www.partner.example/review"


def came(query: str = "", referrer: str | None = None) -> tuple[str | None, str | None, str | None]:
    answer = classify(f"{SHOP}?{query}", referrer)
    return answer["channel"], answer["source"], answer["medium"]


def test_the_answer_has_eight_fields_and_null_for_what_is_absent() -> None:
    assert classify(SHOP, None) == {
        "channel": "Direct",
        "source": "(direct)",
        "medium": "(none)",
        "campaign": None,
        "content": None,
        "term": None,
        "click_id": None,
        "click_id_type": None,
    }


def test_every_utm_parameter_has_its_field() -> None:
    url = f"{SHOP}?utm_source=News&utm_medium=Email&utm_campaign=Spring+Sale&utm_content=Top%20Link&utm_term=Shoes"
    assert classify(url, None) == {
        "channel": "Email",
        "source": "news",
        "medium": "email",
        "campaign": "Spring Sale",
        "content": "Top Link",
        "term": "Shoes",
        "click_id": None,
        "click_id_type": None,
    }


@pytest.mark.parametrize(
    ("query", "campaign"),
    [
        ("utm_campaign=spring", "spring"),
        ("UTM_Campaign=spring", "spring"),
        ("utm%5Fcampaign=spring", "spring"),
        ("utm_campaign=first&utm_campaign=second", "first"),
        ("utm_campaign=&UTM_CAMPAIGN=second", "second"),
        ("utm_campaign=%20%20&utm_campaign=second", "second"),
        ("utm_campaign=%20Spring%20Sale%0A", "Spring Sale"),
        ("utm_campaign=a+b%2Bc", "a b+c"),
        ("utm_campaign=a=b", "a=b"),
        ("utm_campaign=gr%C3%BCn", "grün"),
        ("utm_campaign=grün", "grün"),
        ("utm_campaign=100%&a=%zz", "100%"),
        ("utm_campaign=%FFx", "\ufffdx"),
        ("utm_campaign=a%00b", "a\ufffdb"),
        ("a=1;utm_campaign=spring", None),
        ("a=1#utm_campaign=spring", None),
        ("a=1#?utm_campaign=spring", None),
        ("utm_campaign", None),
        ("xutm_campaign=spring", None),
        ("&&=&utm_campaign=spring&&", "spring"),
        ("?utm_campaign=spring", None),
    ],
)
def test_parameters_are_read_as_browsers_write_them(query: str, campaign: str | None) -> None:
    assert classify(f"{SHOP}?{query}", None)["campaign"] == campaign


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("utm_source=google", ("Organic Search", "google", "organic")),
        ("utm_source=Google.com", ("Organic Search", "google", "organic")),
        ("utm_source=www.google.co.uk", ("Organic Search", "google", "organic")),
        ("utm_source=chatgpt.com", ("AI Assistant", "chatgpt", "ai-assistant")),
        ("utm_source=fb", ("Organic Social", "facebook", "social")),
        ("utm_source=l.facebook.com", ("Organic Social", "facebook", "social")),
        ("utm_source=https://www.facebook.com/", ("Organic Social", "facebook", "social")),
        ("utm_source=ig", ("Organic Social", "instagram", "social")),
        ("utm_source=Facebook+Ads&utm_medium=paid", ("Paid Social", "facebook", "paid")),
        ("utm_source=facebook_ads&utm_medium=cpm", ("Paid Social", "facebook", "cpm")),
        ("utm_source=yt", ("Organic Video", "youtube", "video")),
        ("utm_source=amazon", ("Organic Shopping", "amazon", "shopping")),
        ("utm_source=gmail", ("Email", "gmail", "email")),
        ("utm_source=Partner.Example", ("Referral", "partner.example", "referral")),
        ("utm_source=partner.example&utm_medium=cpc", ("Paid Other", "partner.example", "cpc")),
        ("utm_source=b%C3%BCcher.example", ("Referral", "bücher.example", "referral")),
        ("utm_source=newsletter", ("Unassigned", "newsletter", "(not set)")),
        ("utm_source=v1.2", ("Unassigned", "v1.2", "(not set)")),
        ("utm_source=ann@google.com", ("Unassigned", "ann@google.com", "(not set)")),
    ],
)
def test_a_utm_source_goes_by_its_plain_name_and_gives_a_missing_medium(query: str, expected: object) -> None:
    assert came(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("utm_source=google&gclid=x", ("Paid Search", "google", "cpc")),
        ("utm_source=google.com&gbraid=x", ("Paid Search", "google", "cpc")),
        ("utm_source=bing&msclkid=x", ("Paid Search", "bing", "cpc")),
        ("utm_source=bing&gclid=x&msclkid=y", ("Paid Search", "bing", "cpc")),
        ("utm_source=tiktok&ttclid=x", ("Paid Social", "tiktok", "cpc")),
        ("utm_source=bing&gclid=x", ("Organic Search", "bing", "organic")),
        ("utm_source=newsletter&gclid=x", ("Unassigned", "newsletter", "(not set)")),
        ("utm_source=partner.example&gclid=x", ("Referral", "partner.example", "referral")),
        ("utm_source=facebook&fbclid=x", ("Organic Social", "facebook", "social")),
        ("utm_source=google&srsltid=x", ("Organic Search", "google", "organic")),
        ("utm_source=google&utm_medium=organic&gclid=x", ("Organic Search", "google", "organic")),
        ("utm_campaign=c&gclid=x", ("Paid Search", "google", "cpc")),
        ("utm_campaign=c&tblci=x", ("Paid Other", "taboola", "cpc")),
        ("utm_campaign=c&gclid=x&fbclid=y", ("Paid Search", "google", "cpc")),
    ],
)
def test_a_missing_medium_is_cpc_only_with_a_paid_click_id_of_the_sources_own_platform(
    query: str, expected: object
) -> None:
    assert came(query) == expected


@pytest.mark.parametrize(
    ("query", "referrer", "expected"),
    [
        ("utm_medium=cpc&gclid=x", None, ("Paid Search", "google", "cpc")),
        ("utm_medium=cpc&gclid=x", "https://duckduckgo.com/", ("Paid Search", "google", "cpc")),
        ("utm_medium=social&fbclid=x", None, ("Organic Social", "facebook", "social")),
        ("utm_campaign=c&fbclid=x", None, ("Organic Social", "facebook", "social")),
        ("utm_medium=email&mc_eid=x", None, ("Email", "mailchimp", "email")),
        ("utm_campaign=c&irclickid=x", None, ("Unassigned", "impact", "(not set)")),
        ("utm_medium=cpc", "https://www.bing.com/", ("Paid Search", "bing", "cpc")),
        ("utm_campaign=c", "https://www.bing.com/", ("Organic Search", "bing", "organic")),
        ("utm_campaign=c", PARTNER, ("Referral", "partner.example", "referral")),
        ("utm_campaign=c", "http://192.0.2.7/", ("Referral", "192.0.2.7", "referral")),
        ("utm_campaign=c", "https://blog.shop.example/", ("Unassigned", "(not set)", "(not set)")),
        ("utm_campaign=c", "https://www.paypal.com/", ("Unassigned", "(not set)", "(not set)")),
        ("utm_campaign=c", None, ("Unassigned", "(not set)", "(not set)")),
        ("utm_medium=email", None, ("Email", "(not set)", "email")),
        ("utm_content=x", None, ("Unassigned", "(not set)", "(not set)")),
        ("utm_id=123", None, ("Unassigned", "(not set)", "(not set)")),
        ("utm_id=123", GOOGLE, ("Organic Search", "google", "organic")),
        ("utm_nooverride=1", None, ("Direct", "(direct)", "(none)")),
    ],
)
def test_a_missing_source_is_the_click_ids_platform_else_the_referrers_source(
    query: str, referrer: str | None, expected: object
) -> None:
    assert came(query, referrer) == expected


@pytest.mark.parametrize(
    ("query", "referrer", "expected"),
    [
        ("gclid=x", None, ("Paid Search", "google", "cpc")),
        ("gclid=x", GOOGLE, ("Paid Search", "google", "cpc")),
        ("gclid=x", "https://duckduckgo.com/", ("Paid Search", "duckduckgo", "cpc")),
        ("gclid=x", "https://www.youtube.com/", ("Paid Video", "youtube", "cpc")),
        ("gclid=x", PARTNER, ("Paid Search", "google", "cpc")),
        ("gclid=x", "https://blog.shop.example/", ("Paid Search", "google", "cpc")),
        ("gclid=x", "https://checkout.stripe.com/", ("Paid Search", "google", "cpc")),
        ("GCLID=x", None, ("Paid Search", "google", "cpc")),
        ("gclid=", GOOGLE, ("Organic Search", "google", "organic")),
        ("gad_source=1", GOOGLE, ("Paid Search", "google", "cpc")),
        ("msclkid=x", None, ("Paid Search", "bing", "cpc")),
        ("ttclid=x", None, ("Paid Social", "tiktok", "cpc")),
        ("twclid=x", "https://t.co/abc", ("Paid Social", "twitter", "cpc")),
        ("li_fat_id=x", None, ("Paid Social", "linkedin", "cpc")),
        ("ScCid=x", None, ("Paid Social", "snapchat", "cpc")),
        ("rdt_cid=x", None, ("Paid Social", "reddit", "cpc")),
        ("yclid=x", None, ("Paid Search", "yandex", "cpc")),
        ("dicbo=x", None, ("Paid Other", "outbrain", "cpc")),
        ("fbclid=x", "https://l.facebook.com/", ("Organic Social", "facebook", "social")),
        ("fbclid=x", "https://l.instagram.com/", ("Organic Social", "instagram", "social")),
        ("fbclid=x", None, ("Direct", "(direct)", "(none)")),
        ("srsltid=x", GOOGLE, ("Organic Search", "google", "organic")),
        ("igshid=x", PARTNER, ("Referral", "partner.example", "referral")),
    ],
)
def test_without_utm_a_paid_click_id_is_cpc_from_the_listed_referrer_else_from_its_platform(
    query: str, referrer: str | None, expected: object
) -> None:
    assert came(query, referrer) == expected


@pytest.mark.parametrize(
    ("referrer", "expected"),
    [
        (GOOGLE, ("Organic Search", "google", "organic")),
        ("https://chatgpt.com/", ("AI Assistant", "chatgpt", "ai-assistant")),
        ("https://gemini.google.com/app", ("AI Assistant", "gemini", "ai-assistant")),
        ("https://m.youtube.com/watch?v=1", ("Organic Video", "youtube", "video")),
        ("https://www.amazon.de/dp/1", ("Organic Shopping", "amazon", "shopping")),
        ("https://lnkd.in/abc", ("Organic Social", "linkedin", "social")),
        ("https://mail.google.com/", ("Email", "gmail", "email")),
        ("android-app://com.google.android.gm/", ("Email", "gmail", "email")),
        ("android-app://com.slack", ("Referral", "com.slack", "referral")),
        (PARTNER, ("Referral", "partner.example", "referral")),
        ("https://WWW.Partner.Example:8443/", ("Referral", "partner.example", "referral")),
        ("https://docs.google.com/", ("Referral", "docs.google.com", "referral")),
        ("http://203.0.113.9/", ("Referral", "203.0.113.9", "referral")),
        ("https://user:pass@partner.example./", ("Referral", "partner.example", "referral")),
        ("https:\\\\partner.example\\a", ("Referral", "partner.example", "referral")),
        ("https://www.example", ("Referral", "www.example", "referral")),
        (None, ("Direct", "(direct)", "(none)")),
        ("", ("Direct", "(direct)", "(none)")),
    ],
)
def test_without_parameters_the_referrer_decides(referrer: str | None, expected: object) -> None:
    assert came("", referrer) == expected


@pytest.mark.parametrize(
    "referrer",
    [
        "-", "null", "about:blank", "partner.example", "//partner.example/", "/page", "ftp://partner.example/", "file:///a",
        "chrome-extension://abc/", "mailto:ann@x.org", "javascript:void(0)", "https://", "https:///a", "https://a b.example/",
        "https://a..example/", "https://[::1/", "https://[x]/", "https://x.example:port/", f"https://{'a' * 64}.example/",
        f"https://{'a.' * 200}example/", "https://exa%mple.com/", "https://\ufffd.example/", "data:,https://x.example/",
    ],
)  # fmt: skip
def test_a_referrer_that_is_no_address_of_a_page_or_app_is_none(referrer: str) -> None:
    assert came("", referrer) == ("Direct", "(direct)", "(none)")


@pytest.mark.parametrize(
    ("query", "own"),
    [
        ("utm_source=(direct)&utm_medium=(none)", False),
        ("utm_source=(direct)&utm_medium=(not+set)", False),
        ("utm_source=(direct)", False),
        ("utm_source=(Direct)&utm_medium=(None)&utm_campaign=c", False),
        ("utm_source=(direct)&utm_medium=email", True),
        ("utm_source=direct&utm_medium=(none)", True),
    ],
)
def test_a_tagged_link_may_say_that_it_is_direct(query: str, own: bool) -> None:
    arrival = arrive(f"{SHOP}?{query}", GOOGLE)
    assert (arrival.own, arrival.source.channel == "Direct") == (own, not own)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fbclid=a", ("a", "fbclid")),
        ("fbclid=a&gclid=b", ("b", "gclid")),
        ("msclkid=a&gclid=b", ("b", "gclid")),
        ("gad_source=1&wbraid=b", ("b", "wbraid")),
        ("gclid=A-b_C%2Bd&GCLID=e", ("A-b_C+d", "gclid")),
        ("utm_source=x&utm_medium=y&sccid=a", ("a", "sccid")),
        ("clid=a", (None, None)),
    ],
)
def test_a_paid_click_id_is_named_before_others(query: str, expected: object) -> None:
    answer = classify(f"{SHOP}?{query}", None)
    assert (answer["click_id"], answer["click_id_type"]) == expected


def test_a_hit_keeps_all_its_click_ids() -> None:
    arrival = arrive(f"{SHOP}?fbclid=1&b=2&ScCid=3&gclid=4&gclid=5", None)
    assert arrival.click_ids == (("gclid", "4"), ("sccid", "3"), ("fbclid", "1"))


def test_hits_of_one_campaign_have_one_source_and_each_its_own_click_id() -> None:
    first, second, other = (
        arrive(f"{SHOP}?utm_source=google&utm_campaign=spring&{click_id}", GOOGLE)
        for click_id in ("gclid=1", "gclid=2", "fbclid=1")
    )
    assert first.source == second.source != other.source
    assert [arrival.click_ids for arrival in (first, second, other)] == [
        (("gclid", "1"),),
        (("gclid", "2"),),
        (("fbclid", "1"),),
    ]


@pytest.mark.parametrize(
    ("query", "referrer", "own", "internal", "only_referrer"),
    [
        ("", None, False, False, True),
        ("", GOOGLE, True, False, True),
        ("", SHOP, False, True, True),
        ("a=1", "https://www.paypal.com/", False, True, True),
        ("fbclid=x", GOOGLE, True, False, True),
        ("fbclid=x", SHOP, False, True, True),
        ("gclid=x", GOOGLE, True, False, False),
        ("gclid=x", SHOP, True, True, False),
        ("utm_source=news", SHOP, True, True, False),
        ("utm_term=x", GOOGLE, True, False, False),
        ("utm_source=", GOOGLE, True, False, True),
    ],
)
def test_the_visit_rules_learn_what_the_source_rests_on(
    query: str, referrer: str | None, own: bool, internal: bool, only_referrer: bool
) -> None:
    arrival = arrive(f"{SHOP}?{query}", referrer)
    assert (arrival.own, arrival.internal, arrival.only_referrer) == (own, internal, only_referrer)


def test_a_hit_without_url_still_has_a_referrer() -> None:
    assert classify(None, GOOGLE)["channel"] == "Organic Search"
    assert classify(None, "https://shop.example/", ["shop.example"])["channel"] == "Internal"
    assert classify(None, "https://www.paypal.com/")["channel"] == "Internal"
    assert classify(None, None)["channel"] == "Direct"


def test_a_relative_or_broken_url_still_has_parameters() -> None:
    for url in ("/pricing?gclid=x", "?gclid=x", "https://a b/?gclid=x", "myapp://open?gclid=x"):
        assert classify(url, None)["channel"] == "Paid Search", url


def test_a_url_inside_a_parameter_lends_no_parameters() -> None:
    inner = quote("https://other.example/?utm_source=news&gclid=x", safe="")
    assert classify(f"{SHOP}?next={inner}", None)["channel"] == "Direct"
