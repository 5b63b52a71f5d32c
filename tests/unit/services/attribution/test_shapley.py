"""Shapley credits: the closed form against the definition by subsets."""

from fractions import Fraction
from itertools import combinations
from math import factorial

import pytest
from hypothesis import given

from services.attribution.path_models import credits_of
from services.attribution.paths import Path
from services.attribution.shapley import shapley
from tests.unit.services.attribution.counted import Counts, counted, drawn_paths


def by_definition(paths: list[Path]) -> dict[str, tuple[Fraction, Fraction]]:
    """Shapley 1953, over all subsets: v(S) is the conversions, or the value, of paths whose channels are all in S."""
    players = sorted({channel for path in paths for channel in path.channels})
    n = len(players)

    def worth(members: set[str]) -> tuple[int, int]:
        within = [path for path in paths if members.issuperset(path.channels)]
        return sum(path.conversions for path in within), sum(path.value for path in within)

    values = dict.fromkeys(players, (Fraction(0), Fraction(0)))
    for player in players:
        others = [each for each in players if each != player]
        for size in range(n):
            weight = Fraction(factorial(size) * factorial(n - size - 1), factorial(n))
            for members in combinations(others, size):
                gains = zip(worth({*members, player}), worth({*members}), strict=True)
                added = [weight * (with_it - without) for with_it, without in gains]
                values[player] = (values[player][0] + added[0], values[player][1] + added[1])
    return values


@given(drawn_paths("abcdefgh", longest=9))
def test_the_closed_form_is_the_definition(paths: list[Path]) -> None:
    assert credits_of("shapley", paths) == by_definition(paths)


@pytest.mark.parametrize(
    ("channels", "shares"),
    [
        pytest.param("a", [Fraction(1)], id="alone"),
        pytest.param("ab", [Fraction(1, 2)] * 2, id="two"),
        pytest.param("aab", [Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)], id="twice there counts once"),
        pytest.param("abca", [Fraction(1, 6), Fraction(1, 3), Fraction(1, 3), Fraction(1, 6)], id="first and last"),
    ],
)
def test_a_journey_is_shared_evenly_by_its_distinct_channels(channels: str, shares: list[Fraction]) -> None:
    parts = shapley(tuple(channels))
    assert [Fraction(part, sum(parts)) for part in parts] == shares


@pytest.mark.parametrize(
    ("told", "credited"),
    [
        pytest.param({"a > b": (2, 30, 5), "a": (1, 5, 9)}, {"a": (2, 20), "b": (1, 15)}, id="value has a game of its own"),
        pytest.param({"a": (1, 1, 0), "b": (0, 0, 5)}, {"a": (1, 1), "b": (0, 0)}, id="who never converts gets nothing"),
    ],
)  # fmt: skip
def test_what_channels_earn(told: dict[str, Counts], credited: dict[str, tuple[int, int]]) -> None:
    assert credits_of("shapley", counted(told)) == credited
