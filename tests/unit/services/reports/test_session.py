"""The dashboard's session, and the gate that it opens."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from services.reports.access import Access, require_same_origin
from services.reports.questions import Refusal
from services.reports.session import COOKIE, LIFETIME, is_token, is_valid, issue

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = "an admin token of the tests"


def request(**headers):
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": pairs})


def test_a_session_holds_until_it_expires():
    cookie = issue(TOKEN, NOW)
    assert is_valid(cookie, TOKEN, NOW)
    assert is_valid(cookie, TOKEN, NOW + LIFETIME - timedelta(seconds=1))
    assert not is_valid(cookie, TOKEN, NOW + LIFETIME)


def test_a_new_token_ends_every_session():
    assert not is_valid(issue(TOKEN, NOW), "another token of the tests", NOW)


def forged(cookie):
    version, expiry, signature = cookie.split(".")
    later = str(int(expiry) + 1)
    yield from (None, "", ".", "..", "v1", f"v1.{expiry}", f"v1.{expiry}.", f"v2.{expiry}.{signature}")
    yield from (f"{version}.{later}.{signature}", f"{version}.{expiry}.{signature[:-1]}", f"{cookie}0", f"{cookie}.")
    yield from (f"v1.-1.{signature}", f"v1.٣.{signature}", f"v1.{'9' * 400}.{signature}", f"v1.{expiry}.é{signature}")


def test_a_cookie_that_nobody_issued_is_no_session():
    cookies = list(forged(issue(TOKEN, NOW)))
    assert [cookie for cookie in cookies if is_valid(cookie, TOKEN, NOW)] == []


@pytest.mark.parametrize("offered", ["", TOKEN[:-1], TOKEN + " ", TOKEN.upper(), "é", "\ud800"])
def test_only_the_token_itself_is_the_token(offered):
    assert is_token(TOKEN, TOKEN)
    assert not is_token(offered, TOKEN)


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN}"}, True),
        ({"authorization": f"Basic {TOKEN}"}, False),
        ({"authorization": TOKEN}, False),
        ({"cookie": f"{COOKIE}={issue(TOKEN, NOW)}"}, True),
        ({"cookie": f"{COOKIE}={issue(TOKEN, NOW - LIFETIME)}"}, False),
        ({"cookie": f"{COOKIE}={issue(TOKEN, NOW)}", "authorization": "Bearer wrong"}, False),
    ],
)
def test_the_gate_opens_to_the_token_and_to_a_session(headers, granted):
    assert Access(TOKEN, lambda: NOW).is_granted(request(**headers)) is granted


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec_fetch_site": "same-origin", "origin": "http://reports:8081"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "http://reports:8081"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"origin": "http://reports:8081"}, True),
        ({"origin": "http://reports:8082"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({}, True),
    ],
)
def test_a_form_is_taken_from_our_own_pages_and_from_programs(headers, allowed):
    asked = request(host="reports:8081", **headers)
    if allowed:
        require_same_origin(asked)
    else:
        with pytest.raises(Refusal) as refusal:
            require_same_origin(asked)
        assert refusal.value.code == "cross_site"
