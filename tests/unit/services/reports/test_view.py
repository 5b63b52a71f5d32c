"""The dashboard's words, links, bars and chips."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.reports.answers import Status
from services.reports.chart import LONGEST_LABEL, chart_of
from services.reports.questions import Question
from services.reports.view import CHIPS, freshness_of, href, switches_of, won_of
from services.reports.wording import column_texts, count_text, counted, grouped, part_text, period_text, title_of

MARCH = Question(since=date(2026, 3, 2), until=date(2026, 4, 1))


def journey(*channels, amounts=None):
    count = len(channels)
    return {
        "provider": "webhook", "deal_id": "D-1", "amount": 100 * count, "currency": "EUR", "owner": None,
        "closed_at": datetime(2026, 3, 10, 23, 30, tzinfo=UTC), "touch_id": ["t"] * count,
        "occurred_at": [datetime(2026, 3, 1, tzinfo=UTC)] * count, "channel": list(channels),
        "source": ["google"] * count, "medium": ["cpc"] * count, "campaign": [None] * count,
        "amounts": amounts or [100] * count,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "/?from=2026-03-02&to=2026-04-01"),
        ({"model": "last_touch"}, "/?model=last_touch&from=2026-03-02&to=2026-04-01"),
        ({"since": None, "until": None}, "/"),
        ({"since": None, "until": None, "by": "term", "currency": "USD"}, "/?by=term&currency=USD"),
    ],
)
def test_a_link_keeps_the_question_and_leaves_out_what_is_as_by_default(changes, address):
    assert href(MARCH, **changes) == address


def test_the_periods_end_with_today_and_the_one_shown_is_marked():
    periods = switches_of(MARCH, date(2026, 3, 31)).periods
    assert [(choice.label, choice.current) for choice in periods] == [
        ("30 days", True), ("90 days", False), ("12 months", False), ("All time", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        (None, None, "all time"),
        (date(2026, 3, 1), None, "since 1 Mar 2026"),
        (None, date(2026, 4, 1), "up to 31 Mar 2026"),
        (date(2026, 3, 1), date(2026, 4, 1), "1 Mar 2026 \N{EN DASH} 31 Mar 2026"),
        (date(2026, 3, 1), date(2026, 3, 2), "1 Mar 2026"),
        (date(1, 1, 1), date(1, 1, 1), "1 Jan 1"),
    ],
)
def test_a_period_is_told_by_its_first_and_last_day(since, until, words):
    assert period_text(since, until) == words


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (grouped("1234567.50"), "1,234,567.50"),
        (grouped("5000"), "5,000"),
        (count_text(1234), "1,234"),
        (count_text(2.333333), "2.33"),
        (count_text(100), "100"),
        (column_texts([15.857, 10.4, 1]), ["15.9", "10.4", "1.0"]),
        (column_texts([1200.0, 1]), ["1,200", "1"]),
        (counted(1, "deal"), "1 deal"),
        (counted(0, "deal"), "0 deals"),
        (part_text("25.00", "100.00"), "25.0 %"),
        (part_text("0.00", "0.00"), "\N{EN DASH}"),
        (title_of("landing_page"), "Landing page"),
    ],
)
def test_figures_and_names_in_words(told, words):
    assert told == words


def test_the_longest_bar_fills_the_width_and_the_least_can_be_seen():
    chart = chart_of([("a", "100", 100.0), ("b", "25", 25.0), ("c", "0.01", 0.01)])
    assert [bar.width for bar in chart.bars] == [100, 25, 0.6]
    assert chart.bars[2].y + chart.bars[1].y == chart.height


def test_a_long_label_is_cut_and_its_title_is_whole():
    bar = chart_of([("x" * 99, "1", 1.0)]).bars[0]
    assert len(bar.label) == LONGEST_LABEL
    assert bar.title == f"{'x' * 99}: 1"


def test_touches_in_a_row_by_one_channel_are_one_chip():
    deal = won_of(journey("Email", "Email", "Direct", "Email", amounts=[100, 50, 0, 25]), ZoneInfo("Europe/Berlin"))
    assert [(chip.channel, chip.times, chip.amount, chip.earned) for chip in deal.first] == [
        ("Email", 2, "1.50", True), ("Direct", 1, "0.00", False), ("Email", 1, "0.25", True),
    ]  # fmt: skip
    assert deal.first[1].title == "1 Mar 2026 · google / cpc"
    assert deal.closed == "11 Mar 2026"


def test_nobody_earned_what_is_unattributed():
    row = journey("Unattributed") | {"touch_id": [None], "occurred_at": [None]}
    (chip,) = won_of(row, ZoneInfo("UTC")).first
    assert (chip.channel, chip.earned, chip.title) == ("Unattributed", False, "google / cpc")


def test_of_a_long_journey_both_ends_are_shown():
    deal = won_of(journey(*(["Email", "Direct"] * 9)), ZoneInfo("UTC"))
    assert len(deal.first) + len(deal.last) == CHIPS
    assert deal.left_out == 18 - CHIPS


def test_a_page_behind_the_log_says_by_how_much():
    status = Status(
        settled=False, lag={"identity": 1200, "attributor": 3}, notes={"identity": 0, "attributor": 1},
        dead_letters=0, events=5000, rules={},
    )  # fmt: skip
    assert freshness_of(status) == (False, "Catching up: 1,200 events to read, 1 note to work off")
    settled = status.model_copy(update={"settled": True})
    assert freshness_of(settled) == (True, "Up to date with 5,000 events")
