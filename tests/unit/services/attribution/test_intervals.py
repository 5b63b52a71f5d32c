"""Bootstrap intervals: the same for the same seed, as wide as chance is."""

from fractions import Fraction
from math import sqrt

import pytest

from services.attribution.intervals import intervals
from services.attribution.path_models import MODELS, credits_of
from services.attribution.paths import Path
from tests.unit.services.attribution.counted import Counts, counted

FILE = {"a > b": (30, 900, 300), "a": (20, 100, 100), "b > c > a": (5, 1000, 50), "c": (1, 10, 400)}
each_model = pytest.mark.parametrize("model", MODELS)


@each_model
def test_the_credit_lies_within_its_interval_and_the_interval_within_the_total(model: str) -> None:
    paths = counted(FILE)
    credited, between = credits_of(model, paths), intervals(model, paths, resamples=range(200))
    assert list(between) == list(credited)
    for channel, (low, high) in between.items():
        for least, amount, most, total in zip(low, credited[channel], high, (56, 2010), strict=True):
            assert 0 <= least <= amount <= most <= total


@each_model
def test_the_seed_decides(model: str) -> None:
    paths = counted(FILE)
    assert intervals(model, paths, resamples=range(50)) == intervals(model, paths, resamples=range(50))
    if model != "last_touch":
        assert intervals(model, paths, seed=1, resamples=range(50)) != intervals(model, paths, resamples=range(50))


@pytest.mark.parametrize("model", ["markov", "shapley"])
def test_two_ways_without_loss_vary_as_a_coin_does(model: str) -> None:
    """Of n tosses with chance p, 95 % lie within 1.96 sqrt(n p (1 - p)) of n p."""
    low, high = intervals(model, counted({"a": (100, 0, 0), "b": (300, 0, 0)}))["a"]
    spread = 1.96 * sqrt(400 * 0.25 * 0.75)
    assert float(low.conversions) == pytest.approx(100 - spread, abs=2)
    assert float(high.conversions) == pytest.approx(100 + spread, abs=2)


def test_more_journeys_are_more_certain() -> None:
    def width(times: int) -> Fraction:
        paths = [Path(path.channels, *(count * times for count in path[1:])) for path in counted(FILE)]
        low, high = intervals("markov", paths, resamples=range(200))["b"]
        return (high.conversions - low.conversions) / times

    assert width(100) < width(1) / 5


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param({"a": (5, 70, 3)}, (5, 5), id="one channel earned all, whoever is drawn"),
        pytest.param({"a": (0, 0, 3)}, (0, 0), id="nothing was earned"),
        pytest.param({"a": (0, 0, 0)}, (0, 0), id="nobody came"),
        pytest.param({"a": (1, 0, 10**9)}, (1, 1), id="draws without a conversion tell nothing"),
    ],
)
@each_model
def test_edges(model: str, told: dict[str, Counts], expected: tuple[int, int]) -> None:
    low, high = intervals(model, counted(told), resamples=range(50))["a"]
    assert (low.conversions, high.conversions) == expected


def test_no_paths_have_no_intervals() -> None:
    assert intervals("markov", []) == {}


def test_where_no_draw_tells_anything_anything_is_plausible() -> None:
    low, high = intervals("shapley", counted({"a": (1, 9, 10**12), "b": (0, 0, 1)}), resamples=range(1), seed=3)["b"]
    assert (low, high) == ((0, 0), (1, 9))
