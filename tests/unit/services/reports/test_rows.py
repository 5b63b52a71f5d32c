"""Rows of the store to answers."""

from datetime import date

import pytest

from services.reports.questions import Question, Refusal
from services.reports.rows import amount_text, pick_deal, reported_currency, revenue_of


def row(key, amount, *, is_total=0, deals=0.0, leads=0, visits=0):
    return {"key": key, "amount": amount, "deals": deals, "leads": leads, "visits": visits, "is_total": is_total}


def candidate(provider, deal_id, *, whole=False):
    return {"provider": provider, "deal_id": deal_id, "whole": whole}


WON = [{"currency": "EUR", "deals": 3, "amount": 600}, {"currency": "JPY", "deals": 1, "amount": 500}]


def test_rows_come_by_amount_and_then_by_code_points_of_their_key():
    keyed = [row("b", 1), row("a", 1), row("Z", 1), row("é", 1), row("c", 2), row(None, 6, is_total=1)]
    report = revenue_of(Question(), "EUR", WON, keyed)
    assert [each.key for each in report.rows] == ["c", "Z", "a", "b", "é"]


def test_shares_are_told_to_six_digits():
    keyed = [row("a", 1, deals=1 / 3), row(None, 1, is_total=1, deals=0.1 + 0.2)]
    report = revenue_of(Question(), "EUR", WON, keyed)
    assert (report.rows[0].deals, report.totals.deals) == (0.333333, 0.3)


def test_dates_are_told_as_they_were_asked():
    report = revenue_of(Question(since=date(2026, 3, 1)), "EUR", WON, [row(None, None, is_total=1)])
    assert report.model_dump(by_alias=True)["from"] == "2026-03-01"
    assert (report.to, report.total) == (None, "0.00")


@pytest.mark.parametrize(
    ("asked", "won", "reported"), [(None, WON, "EUR"), ("JPY", WON, "JPY"), (None, [], None), ("USD", [], "USD")]
)
def test_the_currency_is_the_one_asked_for_else_that_of_most_deals(asked, won, reported):
    assert reported_currency(Question(currency=asked), won) == reported


@pytest.mark.parametrize(
    ("candidates", "found"),
    [
        ([candidate("hubspot", "7")], ("hubspot", "7")),
        ([candidate("hubspot", "7", whole=True)], ("hubspot", "7")),
        ([candidate("webhook", "hubspot:7"), candidate("hubspot", "7", whole=True)], ("hubspot", "7")),
        ([], (404, "deal_not_found")),
        ([candidate("hubspot", "7"), candidate("pipedrive", "7")], (409, "deal_id_ambiguous")),
        ([candidate("a", "b:7", whole=True), candidate("a:b", "7", whole=True)], (409, "deal_id_ambiguous")),
    ],
)
def test_an_address_means_the_deal_it_names_whole_else_the_only_one_with_its_id(candidates, found):
    try:
        answer = pick_deal("7", candidates)
    except Refusal as refusal:
        answer = (refusal.status, refusal.code)
    assert answer == found


@pytest.mark.parametrize(
    ("minor", "currency", "text"), [(100, "EUR", "1.00"), (100, "JPY", "100"), (0, None, None), (None, "EUR", None)]
)
def test_an_amount_has_the_digits_of_its_currency(minor, currency, text):
    assert amount_text(minor, currency) == text
