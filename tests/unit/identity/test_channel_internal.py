"""Which referrers are the site's own, so that a click inside the site brings no source."""

import pytest

from identity.channel import arrive, classify


@pytest.mark.parametrize(
    ("page", "referrer", "internal"),
    [
        ("https://shop.example/a", "https://shop.example/b", True),
        ("https://shop.example/", "http://www.shop.example/", True),
        ("https://www.shop.example/", "https://blog.eu.shop.example/", True),
        ("https://shop.example:8443/", "https://SHOP.example.:1/", True),
        ("https://shop.example/", "https://shop.example@evil.example/", False),
        ("https://shop.example/", "https://othershop.example/", False),
        ("https://shop.co.uk/", "https://www.shop.co.uk/", True),
        ("https://shop.co.uk/", "https://other.co.uk/", False),
        ("https://ann.github.io/", "https://bob.github.io/", False),
        ("https://ann.github.io/", "https://ann.github.io/b", True),
        ("https://ann.myshopify.com/", "https://bob.myshopify.com/", False),
        ("https://github.io/", "https://ann.github.io/", False),
        ("https://shop.unknownending/", "https://www.shop.unknownending/", True),
        ("https://shop.unknownending/", "https://other.unknownending/", False),
        ("http://localhost:3000/", "http://localhost:8080/", True),
        ("http://localhost/", "http://127.0.0.1/", False),
        ("http://10.0.0.1/", "http://10.0.0.1:81/", True),
        ("http://10.0.0.1/", "http://10.0.0.2/", False),
        ("http://10.0.0.1/", "http://9.0.0.1/", False),
        ("http://[::1]:80/", "http://[0:0:0:0:0:0:0:1]/", True),
        ("http://[::1]/", "http://[::2]/", False),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", True),
        ("https://BÜCHER.example/", "https://www.bücher.example/", True),
        ("https://shop.公司.cn/", "https://www.shop.xn--55qx5d.cn/", True),
        ("https://www.google.com/", "https://mail.google.com/", True),
        ("android-app://com.shop.app/", "android-app://com.shop.app/", True),
        ("https://android.gm/", "android-app://com.google.android.gm/", False),
        ("not a url", "https://shop.example/", False),
    ],
)
def test_a_referrer_on_the_pages_registrable_domain_is_internal(page: str, referrer: str, internal: bool) -> None:
    assert arrive(page, referrer).internal is internal


@pytest.mark.parametrize(
    ("own_domains", "referrer", "internal"),
    [
        (["other.example"], "https://other.example/", True),
        (["other.example"], "https://pay.other.example/", True),
        (["other.example"], "https://another.example/", False),
        (["www.other.example"], "https://other.example/", True),
        ([" OTHER.example "], "https://www.other.example/", True),
        (["bücher.example"], "https://xn--bcher-kva.example/", True),
        (["xn--bcher-kva.example"], "https://www.bücher.example/", True),
        (["google.com"], "https://www.google.com/", True),
        (["a.github.io"], "https://b.github.io/", False),
        (["10.0.0.5"], "http://10.0.0.5:8080/", True),
        (["", "not a host", "x.example"], "https://other.example/", False),
        ([], "https://other.example/", False),
    ],
)
def test_a_referrer_on_an_own_domain_is_internal(own_domains: list[str], referrer: str, internal: bool) -> None:
    assert arrive("https://shop.example/", referrer, own_domains).internal is internal


@pytest.mark.parametrize(
    "referrer",
    [
        "https://www.paypal.com/checkoutnow",
        "https://checkout.stripe.com/c/pay/1",
        "https://pay.klarna.com/",
        "https://accounts.google.com/",
        "https://accounts.google.de/",
        "https://accounts.google.co.uk/",
        "https://login.microsoftonline.com/",
        "https://login.live.com/",
        "https://appleid.apple.com/",
        "https://acme.okta.com/",
        "https://acme.eu.auth0.com/",
        "https://pay.amazon.com/",
    ],
)
def test_coming_back_from_a_payment_or_a_sign_on_is_internal(referrer: str) -> None:
    assert classify("https://shop.example/thanks", referrer)["channel"] == "Internal"


@pytest.mark.parametrize(
    "referrer", ["https://stripe.com/customers", "https://notpaypal.com/", "https://paypal.com.evil.example/"]
)
def test_other_hosts_of_such_companies_are_referrals(referrer: str) -> None:
    assert classify("https://shop.example/thanks", referrer)["channel"] == "Referral"


def test_an_internal_hit_brings_no_source_of_its_own() -> None:
    answer = classify("https://shop.example/b", "https://shop.example/a")
    assert (answer["channel"], answer["source"], answer["medium"]) == ("Internal", "(direct)", "(none)")


def test_parameters_count_behind_an_internal_referrer_too() -> None:
    page, home = "https://shop.example/b", "https://shop.example/"
    assert classify(f"{page}?utm_source=news&utm_medium=email", home)["channel"] == "Email"
    assert classify(f"{page}?gclid=x", home)["channel"] == "Paid Search"
    unpaid = classify(f"{page}?fbclid=x", home)
    assert (unpaid["channel"], unpaid["click_id"]) == ("Internal", "x")
