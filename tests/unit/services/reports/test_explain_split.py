"""What one model gave to each touch, in exact fractions, and what rounding did."""

from typing import Any

import pytest

from services.attribution.split import split
from services.attribution.weights import MODELS, Course, shares_of
from services.attribution.window import milestone
from services.reports.explain_split import split_of
from tests.builders import at


def entry(
    amount: int, days: list[int], *, created: int = 9, lead: int | None = 1, currency: str = "EUR"
) -> dict[str, Any]:
    """An entry of the ledger whose touches lie on these days."""
    return {
        "amount": amount,
        "currency": currency,
        "created_at": at(day=created),
        "channel": ["Email"] * len(days),
        "touch_id": [f"t{day}" for day in days],
        "occurred_at": [at(day=day) for day in days],
        "lead_touch": lead,
    }


def credit(of: dict[str, Any], model: str) -> dict[str, Any]:
    """The ledger's row of this model."""
    times = of["occurred_at"]
    parts = MODELS[model](Course(of["channel"], times, (of["lead_touch"] or 1) - 1, milestone(times, of["created_at"])))
    return {"model": model, "amounts": list(split(of["amount"], parts)), "shares": shares_of(parts)}


CASES = [
    ("linear", entry(100, [1, 2, 3]), "0.01", [("1/3", "100/3", "0.33", True, "0.34"), ("1/3", "100/3", "0.33", False, "0.33"), ("1/3", "100/3", "0.33", False, "0.33")]),
    ("linear", entry(5, [1, 2], currency="JPY"), "1", [("1/2", "5/2", "2", True, "3"), ("1/2", "5/2", "2", False, "2")]),
    ("last_touch", entry(100, [1, 2]), "0.00", [("0", "0", "0.00", False, "0.00"), ("1", "100", "1.00", False, "1.00")]),
    ("j_shaped", entry(1, [1, 2]), "0.01", [("1/4", "1/4", "0.00", False, "0.00"), ("3/4", "3/4", "0.00", True, "0.01")]),
    ("w_shaped", entry(1000, [1, 2, 9, 10], lead=2), "0.00", [("3/10", "300", "3.00", False, "3.00"), ("3/10", "300", "3.00", False, "3.00"), ("3/10", "300", "3.00", False, "3.00"), ("1/10", "100", "1.00", False, "1.00")]),
    ("linear", entry(0, [1, 2]), "0.00", [("1/2", "0", "0.00", False, "0.00")] * 2),
]  # fmt: skip


@pytest.mark.parametrize(("model", "of", "left", "parts"), CASES)
def test_shares_are_exact_and_the_units_that_rounding_leaves_are_told(
    model: str, of: dict[str, Any], left: str, parts: list[tuple[object, ...]]
) -> None:
    told = split_of(of, credit(of, model), MODELS)
    assert told.left == left
    assert [(part.share, part.exact, part.rounded_down, part.given, part.amount) for part in told.parts] == parts


def test_the_one_place_of_an_unattributed_deal_has_it_all() -> None:
    of = entry(100, [1]) | {"touch_id": [None], "occurred_at": [None], "lead_touch": None}
    told = split_of(of, {"model": "time_decay", "amounts": [100], "shares": [1.0]}, MODELS)
    assert [(part.share, part.percent, part.amount) for part in told.parts] == [("1", "100.00", "1.00")]


@pytest.mark.parametrize(
    "stands",
    [
        pytest.param(
            {"model": "mine", "amounts": [60, 40], "shares": [0.6, 0.4]}, id="a model that the rules no longer have"
        ),
        pytest.param({"model": "linear", "amounts": [60, 40], "shares": [0.6, 0.4]}, id="a model of another meaning"),
    ],
)
def test_where_the_rules_have_changed_since_the_ledgers_own_numbers_are_told(stands: dict[str, Any]) -> None:
    told = split_of(entry(100, [1, 2]), stands, MODELS)
    assert told.left is None
    assert [(part.share, part.exact, part.amount) for part in told.parts] == [
        ("0.600000", None, "0.60"),
        ("0.400000", None, "0.40"),
    ]
