"""Paths, lengths and durations: what rows of the store become."""

import pytest

from services.reports.journeys import DAYS, TOUCHES, csv_of, labels_of, paths_of, times_of
from services.reports.questions import Question


def path_row(*keys, deals=1, amount=0, nulls=0, is_unknown=False):
    return {
        "path": list(keys),
        "is_unknown": is_unknown,
        "deals": deals,
        "amount": amount,
        "nulls": nulls,
        "touches": 1,
        "days": 2,
        "is_total": 0,
    }


TOTAL = {
    "path": None,
    "deals": None,
    "amount": None,
    "nulls": None,
    "touches": None,
    "days": None,
    "is_total": 1,
    "is_unknown": None,
}


@pytest.mark.parametrize(
    ("starts", "labels"),
    [
        (DAYS, ["0", "1", "2-3", "4-7", "8-14", "15-30", "31-60", "61-90", "91+"]),
        (TOUCHES, ["1", "2", "3", "4", "5", "6-10", "11-20", "21-50", "51+"]),
        ((7,), ["7+"]),
    ],
)
def test_a_bucket_is_called_by_the_whole_numbers_in_it(starts, labels):
    assert labels_of(starts) == labels


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        pytest.param(("Direct", "Email"), "Direct > Email;3;12.05;4", id="as it is"),
        pytest.param(("a > b", "c>d"), "a \u203a b > c\u203ad;3;12.05;4", id="a sign that would part a name in two"),
        pytest.param(("a;b",), '"a;b";3;12.05;4', id="a sign that would part columns"),
        pytest.param(("a\r\nb\t c\x00\x85d",), "a b c d;3;12.05;4", id="what would end a line"),
        pytest.param(("=1+1", "=2"), "'=1+1 > =2;3;12.05;4", id="a formula"),
        pytest.param(("\t@SUM(A1)",), "'@SUM(A1);3;12.05;4", id="a formula behind a tab"),
        pytest.param(("+1",), "'+1;3;12.05;4", id="a number of a stranger's"),
        pytest.param(("-1",), "'-1;3;12.05;4", id="and a negative one"),
        pytest.param((' "a"', "  "), '"""a"" > (not set)";3;12.05;4', id="quotes, and a name of spaces alone"),
    ],
)
def test_a_path_is_written_so_that_the_attribute_command_reads_it(keys, line):
    text = csv_of([TOTAL, path_row(*keys, deals=3, amount=1205, nulls=4)], "EUR")
    assert text == f"path;conversions;value;nulls\n{line}\n"


def test_a_touch_that_is_called_unattributed_took_a_path_and_unknown_deals_took_none():
    rows = [path_row("Unattributed", amount=100), path_row("Unattributed", amount=200, is_unknown=True)]
    assert csv_of([TOTAL, *rows], "EUR") == "path;conversions;value;nulls\nUnattributed;1;1.00;0\n"


def test_money_is_written_with_the_digits_of_its_currency():
    assert csv_of([path_row("Email", amount=1205)], "JPY").endswith("Email;1;1205;0\n")
    assert csv_of([path_row("Email", deals=0, nulls=1)], None).endswith("Email;0;0.00;1\n")


def test_without_any_journey_all_figures_are_none():
    report = paths_of(Question(), None, collapse=False, rows=[TOTAL], lengths=[], unconverted=[])
    assert report.rows == []
    assert (report.total.deals, report.total.amount, report.total.touches) == (0, "0.00", None)
    assert {length.deals for length in report.lengths} == {0}


def time_row(key, bucket, deals, *, is_total=False, is_whole=False, unattributed=0):
    percentiles = [1.005, 2.5, 3.0] if deals else None
    figures = {"mean": 1.2345 if deals else None, "percentiles": percentiles, "unattributed": unattributed}
    return {"key": key, "bucket": bucket, "deals": deals, "is_total": is_total, "is_whole": is_whole, **figures}


def test_deals_of_which_no_touch_is_known_are_told_apart_from_all_durations():
    rows = [
        time_row("google", 1, 2), time_row("google", 9, 1), time_row("google", None, 3, is_whole=True),
        time_row(None, None, 0, unattributed=4), time_row(None, None, 0, unattributed=4, is_whole=True),
        time_row(None, None, 0, unattributed=4, is_total=True),
        time_row(None, 1, 2, is_total=True), time_row(None, 9, 1, is_total=True),
        time_row(None, None, 3, unattributed=4, is_total=True, is_whole=True),
    ]  # fmt: skip
    report = times_of(Question(by="source"), rows)
    assert (report.unattributed, report.total.deals, [row.key for row in report.rows]) == (4, 3, ["google"])
    assert [bucket.deals for bucket in report.rows[0].distribution] == [2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert (report.total.median, report.total.p75, report.total.mean) == (1.0, 2.5, 1.23)
