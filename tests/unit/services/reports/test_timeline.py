"""The pages of a lead's history."""

import base64

import orjson
import pytest

from services.reports.questions import Refusal
from services.reports.timeline import END, cursor_of, moments_of, page_of, place_of
from tests.builders import SITE, at


def row(day, **entry):
    return {"at": at(day=day), "place": 3, "id": f"id {day}", "within": "ü", "entry": orjson.dumps(entry).decode()}


def named(day):
    return row(day, kind="identifier", identifier=f"user:{day}")


ROWS = [named(day) for day in (5, 4, 3, 2, 1)]


def test_a_page_is_in_the_order_of_time_and_leads_to_the_one_before():
    entries, before = page_of(ROWS, 3)
    assert [entry.identifier for entry in entries] == ["user:3", "user:4", "user:5"]
    assert place_of(before) == (at(day=3), 3, "id 3", "ü")


def test_the_first_page_of_all_leads_no_further():
    assert page_of(ROWS, 5)[1] is None
    assert page_of([], 5) == ([], None)


def test_without_a_cursor_a_page_ends_with_the_newest():
    assert place_of(None) == place_of("") == END


BROKEN = ["x", "é", "bm8", *(base64.urlsafe_b64encode(text).decode() for text in (
    b"no JSON", b"[]", b'["2026-01-01T00:00:00Z", 0, "a"]', b'["yesterday", 0, "a", "b"]',
    b'["2026-01-01T00:00:00", 0, "a", "b"]', b'["2026-01-01T00:00:00Z", 4000000000, "a", "b"]',
    b'["2026-01-01T00:00:00Z", 0, "\\u0000", "b"]', b'["2026-01-01T00:00:00Z", 0, null, "b"]', b"\xff",
))]  # fmt: skip


@pytest.mark.parametrize("cursor", BROKEN)
def test_a_cursor_that_is_none_is_refused(cursor):
    with pytest.raises(Refusal) as refusal:
        place_of(cursor)
    assert (refusal.value.status, refusal.value.code) == (400, "invalid_before")


def test_the_cursor_of_a_row_is_its_place():
    assert place_of(cursor_of(ROWS[0])) == (at(day=5), 3, "id 5", "ü")


def test_what_a_score_may_count_comes_in_the_order_of_time():
    rows = [
        row(4, kind="deal", provider="hubspot", deal_id="7", stage="open"),
        row(3, kind="statement", type="email_open", name=None),
        row(2, kind="touch", name="fair"),
        row(1, kind="hit", type="custom", url=SITE, name="demo"),
        row(1, kind="visit", landing_page=SITE),
    ]
    assert moments_of(rows) == [
        ("visit", at(day=1), SITE, None),
        ("custom", at(day=1), SITE, "demo"),
        ("touch", at(day=2), None, "fair"),
        ("email_open", at(day=3), None, None),
    ]
