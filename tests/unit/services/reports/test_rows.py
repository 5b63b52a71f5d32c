"""Rows of the store to answers."""

from datetime import date

import pytest

from services.reports.questions import Question, Refusal
from services.reports.rows import amount_text, pick_deal, revenue_of


def row(key, amount, *, is_total=0, deals=0.0, leads=0, visits=0, spend=None):
    counts = {"deals": deals, "leads": leads, "visits": visits}
    return {"key": key, "amount": amount, **counts, "spend": spend, "is_total": is_total}


def candidate(provider, deal_id, *, whole=False):
    return {"provider": provider, "deal_id": deal_id, "whole": whole}


def test_rows_come_by_amount_and_then_by_code_points_of_their_key():
    keyed = [row("b", 1), row("a", 1), row("Z", 1), row("é", 1), row("c", 2), row(None, 6, is_total=1)]
    report = revenue_of(Question(), "EUR", keyed, [])
    assert [each.key for each in report.rows] == ["c", "Z", "a", "b", "é"]


def test_shares_are_told_to_six_digits():
    keyed = [row("a", 1, deals=1 / 3), row(None, 1, is_total=1, deals=0.1 + 0.2)]
    report = revenue_of(Question(), "EUR", keyed, [])
    assert (report.rows[0].deals, report.totals.deals) == (0.333333, 0.3)


def test_dates_are_told_as_they_were_asked():
    report = revenue_of(Question(since=date(2026, 3, 1)), "EUR", [row(None, None, is_total=1)], [])
    assert report.model_dump(by_alias=True)["from"] == "2026-03-01"
    assert (report.to, report.total) == (None, "0.00")


@pytest.mark.parametrize(
    ("amount", "deals", "leads", "spend", "figures"),
    [
        pytest.param(30_000, 2.5, 8, 10_000, ("100.00", 3.0, "40.00", "12.50"), id="each by what it brought"),
        pytest.param(10_000, 3, 3, 20_000, ("200.00", 0.5, "66.67", "66.67"), id="rounded to the cent"),
        pytest.param(0, 8, 40, 100, ("1.00", 0.0, "0.12", "0.02"), id="half a cent goes to the even one"),
        pytest.param(0, 0, 0, 10_000, ("100.00", 0.0, None, None), id="spent in vain"),
        pytest.param(
            0, 1 / 3, 3, 10**8, ("1000000.00", 0.0, "3000000.00", "333333.33"), id="a third of a deal, not 0.333333"
        ),
        pytest.param(0, 1e-7, 1, 10_000, ("100.00", 0.0, None, "100.00"), id="no deal worth telling"),
        pytest.param(30_000, 1, 1, None, (None, None, None, None), id="nothing is known to be spent"),
    ],
)
def test_what_a_customer_and_a_lead_cost(amount, deals, leads, spend, figures):
    total = row(None, amount, is_total=1, deals=deals, leads=leads, spend=spend)
    told = revenue_of(Question(), "EUR", [total], []).totals
    assert (told.spend, told.roas, told.cac, told.cost_per_lead) == figures


def test_money_that_no_rate_turns_is_named_in_its_own_currency():
    missing = {"currency": "JPY", "deals": 1, "amount": 500, "spend": 70, "day": date(2026, 3, 1)}
    [named] = revenue_of(Question(), "EUR", [row(None, None, is_total=1)], [missing]).missing_rates
    assert named.model_dump(by_alias=True) == {
        "from": "JPY", "to": "EUR", "deals": 1, "amount": "500", "spend": "70", "day": "2026-03-01",
    }  # fmt: skip


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
