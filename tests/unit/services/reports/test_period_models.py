"""Markov and Shapley over a period's journeys: exact in money, and Unattributed kept apart."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reports.period_models import Earned, earned_by_channel, intervals_of, with_credits

TOTAL = {"path": None, "deals": 3, "amount": 700, "nulls": 9, "is_unknown": None, "is_total": 1}


def path(channels: str, deals: int, amount: int, nulls: int = 0) -> dict[str, Any]:
    """A row of the query of paths; without channels that of deals of which no touch is known."""
    told = channels.split(" > ") if channels else ["Unattributed"]
    return {"path": told, "deals": deals, "amount": amount, "nulls": nulls, "is_unknown": not channels, "is_total": 0}


@pytest.mark.parametrize(
    ("model", "rows", "earned"),
    [
        pytest.param(
            "shapley",
            [path("Email > Direct", 1, 101), path("Email", 1, 100)],
            {"Email": (150, Fraction(3, 2)), "Direct": (51, Fraction(1, 2))},
            id="of equal remainders the cent goes to the earlier name",
        ),
        pytest.param(
            "shapley",
            [path("Email", 1, 100), path("", 2, 500)],
            {"Email": (100, 1), "Unattributed": (500, 2)},
            id="no known touch is no journey",
        ),
        pytest.param(
            "markov",
            [path("Email", 1, 100, nulls=1), path("", 2, 500)],
            {"Email": (100, 1), "Unattributed": (500, 2)},
            id="nor does it take anything from channels that lose some",
        ),
        pytest.param(
            "markov",
            [path("Unattributed", 1, 100, nulls=1), path("", 2, 500)],
            {"Unattributed": (600, 3)},
            id="a touch may be called as what is unknown",
        ),
        pytest.param("markov", [path("Email", 0, 0, nulls=5)], {"Email": (0, 0)}, id="nothing won"),
        pytest.param("markov", [], {}, id="nobody came"),
        pytest.param(
            "markov",
            [path("A > B", 1, 300), path("A", 0, 0, nulls=1), path("B", 1, 300)],
            {"A": (200, Fraction(2, 3)), "B": (400, Fraction(4, 3))},
            id="B's removal loses all, A's half",
        ),
    ],
)
def test_what_channels_earn_of_a_period(
    model: str, rows: list[dict[str, Any]], earned: dict[str, tuple[int, Fraction]]
) -> None:
    found = earned_by_channel(model, [TOTAL, *rows], with_intervals=False)
    assert {channel: each.amount for channel, each in found.items()} == {key: each[0] for key, each in earned.items()}
    for channel, (_, deals) in earned.items():
        assert float(found[channel].deals) == pytest.approx(float(deals))


@given(
    model=st.sampled_from(["markov", "shapley"]),
    drawn=st.lists(st.tuples(st.lists(st.sampled_from(["A", "B", "C", "Unattributed"]), min_size=1, max_size=4), st.integers(1, 5), st.integers(0, 10**9)), max_size=6),
    unknown=st.integers(0, 3),
)  # fmt: skip
def test_amounts_sum_to_the_periods_money_to_the_cent(model: str, drawn: Any, unknown: int) -> None:
    rows = [path(" > ".join(channels), deals, amount) for channels, deals, amount in drawn]
    rows += [path("", unknown, 1_000 * unknown)] if unknown else []
    found = earned_by_channel(model, [TOTAL, *rows], with_intervals=False)
    assert sum(each.amount for each in found.values()) == sum(row["amount"] for row in rows)
    assert sum(each.deals for each in found.values()) == sum(row["deals"] for row in rows)


def test_intervals_are_the_same_each_time_and_hold_the_credit() -> None:
    rows = [path("A > B", 30, 3_000, nulls=50), path("A", 10, 1_500, nulls=90), path("B", 20, 800, nulls=20)]
    found = [earned_by_channel("markov", rows, with_intervals=True) for _ in range(2)]
    assert found[0] == found[1]
    for each in found[0].values():
        assert each.interval is not None
        assert each.interval[0] <= each.amount <= each.interval[1]


def test_money_that_no_touch_earned_moves_both_ends_of_an_interval() -> None:
    rows = [path("Unattributed > B", 30, 3_000, nulls=50), path("B", 20, 800, nulls=20)]
    alone = earned_by_channel("markov", rows, with_intervals=True)["Unattributed"]
    both = earned_by_channel("markov", [*rows, path("", 2, 500)], with_intervals=True)["Unattributed"]
    assert alone.interval is not None
    assert both == Earned(alone.amount + 500, alone.deals + 2, (alone.interval[0] + 500, alone.interval[1] + 500))


def test_the_report_keeps_visits_and_spend_and_its_total() -> None:
    keyed = [
        {"key": None, "amount": 700, "deals": 3, "leads": 4, "visits": 9, "spend": 20, "is_total": 1},
        {"key": "Email", "amount": 5, "deals": 0.1, "leads": 3, "visits": 7, "spend": 20, "is_total": 0},
        {"key": "Direct", "amount": 695, "deals": 2.9, "leads": 2, "visits": 2, "spend": None, "is_total": 0},
    ]
    earned = {"Email": Earned(700, Fraction(3), (1, 2))}
    assert [tuple(row.values()) for row in with_credits(keyed, earned)] == [
        (None, 700, 3, 4, 9, 20, 1),
        ("Email", 700, 3, 3, 7, 20, 0),
        ("Direct", 0, 0, 2, 2, None, 0),
    ]
    assert intervals_of(earned) == {"Email": (1, 2)}
