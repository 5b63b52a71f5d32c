"""Which touches count for a deal, and what the ledger should hold of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from attributor.journey import Entry, Journey, cause_of, entry_of, same
from schemas.credit import Cause
from schemas.deal import DealState, Stage
from schemas.visit import DIRECT, Touch
from services.attribution.weights import MODELS
from services.attribution.window import milestone, window
from tests.builders import SITE, at

LOOKBACK = timedelta(days=90)
WON = DealState("webhook", "7", Stage.won, 10_000, "EUR", at(day=100), at(day=120), "Olga")


def entry(deal: DealState | None, touches: Sequence[Touch], lead_created_at: datetime | None = None) -> Entry | None:
    return entry_of(deal, Journey(touches, lead_created_at), MODELS)


def touch(day: int, **fields: Any) -> Touch:
    return Touch("v", f"t{day}", at(day=day), DIRECT, SITE, None)._replace(**fields)


@pytest.mark.parametrize(
    ("created_at", "closed_at", "first"),
    [
        pytest.param(at(day=100), at(day=120), at(day=10), id="90 days before it was made"),
        pytest.param(at(day=120), at(day=100), at(day=10), id="90 days before the close of one entered later"),
        pytest.param(at(day=100), at(day=100), at(day=10), id="made and won at once"),
        pytest.param(datetime(1, 1, 2, tzinfo=UTC), at(), datetime(1, 1, 1, tzinfo=UTC), id="before time began"),
        pytest.param(datetime(1, 1, 1, tzinfo=UTC), at(), datetime(1, 1, 1, tzinfo=UTC), id="when time began"),
    ],
)
def test_the_window_ends_with_the_close_and_begins_the_lookback_before_the_deal(
    created_at: datetime, closed_at: datetime, first: datetime
) -> None:
    assert window(created_at, closed_at, LOOKBACK) == (first, closed_at)


@pytest.mark.parametrize("stage", [Stage.open, Stage.lost, Stage.deleted])
def test_only_a_won_deal_has_credits(stage: Stage) -> None:
    assert entry(replace(WON, stage=stage), [touch(110)]) is None
    assert entry(None, [touch(110)]) is None


def amounts(*touches: Touch) -> dict[str, tuple[int, ...]]:
    found = entry(WON, touches, at(day=102))
    assert found is not None
    return {part.model: part.amounts for part in found.credits}


def test_each_model_gives_the_whole_amount() -> None:
    assert amounts(touch(101), touch(102), touch(103)) == {
        "first_touch": (10_000, 0, 0),
        "last_touch": (0, 0, 10_000),
        "linear": (3_334, 3_333, 3_333),
        "position_based": (4_000, 2_000, 4_000),
        "j_shaped": (2_000, 2_000, 6_000),
        "inverse_j": (6_000, 2_000, 2_000),
        "last_non_direct": (0, 0, 10_000),
        "time_decay": (3_009, 3_323, 3_668),
        "w_shaped": (6_000, 3_000, 1_000),
        "full_path": (5_000, 2_500, 2_500),
    }


@pytest.mark.parametrize(
    ("milestone_at", "place"),
    [
        pytest.param(None, 0, id="there is none: the first"),
        pytest.param(at("11:59", day=1), 0, id="before all of them: the first"),
        pytest.param(at("12:00", day=2), 1, id="at the moment of one"),
        pytest.param(at("11:59", day=3), 1, id="between two: the earlier"),
        pytest.param(at("12:00", day=4), 3, id="two at once: the later of them"),
        pytest.param(at(day=90), 3, id="after all of them: the last"),
    ],
)
def test_a_milestone_is_the_last_touch_at_or_before_it(milestone_at: datetime | None, place: int) -> None:
    assert milestone([at("12:00", day=day) for day in (1, 2, 4, 4)], milestone_at) == place


def test_without_any_touch_the_whole_amount_is_unattributed_once() -> None:
    assert set(amounts().values()) == {(10_000,)}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param({"amount": 9_000}, Cause.deal_changed, id="a refund"),
        pytest.param({"owner": None}, Cause.deal_changed, id="another owner"),
        pytest.param({"closed_at": at(day=121)}, Cause.deal_changed, id="another close"),
        pytest.param({"touches": (touch(101), touch(102))}, Cause.touch_arrived, id="a longer journey"),
    ],
)
def test_a_correction_says_whether_the_deal_or_something_else_changed(change: dict[str, Any], cause: Cause) -> None:
    held = entry(WON, [touch(101)])
    assert held is not None
    assert cause_of(held, replace(held, **change), Cause.touch_arrived) is cause


def test_winning_and_losing_are_the_deals_doing() -> None:
    held = entry(WON, [])
    assert cause_of(None, held, Cause.touch_arrived) is cause_of(held, None, Cause.touch_arrived) is Cause.deal_changed


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 1},
        {"currency": "USD"},
        {"created_at": at(day=99)},
        {"closed_at": at(day=121)},
        {"owner": "Paul"},
        {"touches": ()},
        {"lead_touch": None},
        {"touches": (touch(101, landing_page=SITE + "other"),)},
        {"credits": ()},
    ],
)
def test_whatever_differs_is_corrected(change: dict[str, Any]) -> None:
    held = entry(WON, [touch(101)])
    assert held is not None
    assert not same(held, replace(held, **change))


def test_what_does_not_differ_is_left_alone() -> None:
    held = entry(WON, [touch(101)])
    assert held is not None
    assert same(held, replace(held, credits=tuple(part._replace(parts=()) for part in reversed(held.credits))))
    assert same(None, None)
    assert not same(held, None)
    assert not same(None, held)
