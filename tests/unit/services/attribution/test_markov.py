"""Markov credits: published examples, the definition solved anew without each channel, and edges."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given

from services.attribution import markov
from services.attribution.path_models import credits_of
from services.attribution.paths import Path, Refused
from tests.unit.services.attribution.counted import Counts, counted, drawn_paths

START, CONV, NULL = "START", "CONV", "NULL"


def conversion_probability(paths: list[Path], removed: str = "") -> Fraction:
    """Of the chain in which every transition into the removed channel goes to NULL: by elimination, in exact fractions."""
    counts: dict[str, Counter[str]] = {}
    for path in paths:
        for end, journeys in ((CONV, path.conversions), (NULL, path.nulls)):
            for left, entered in pairwise([START, *path.channels, end] if journeys else ()):
                counts.setdefault(left, Counter())[NULL if entered == removed else entered] += journeys
    rows = {left: {to: Fraction(n, sum(row.values())) for to, n in row.items()} for left, row in counts.items()}
    for channel in [state for state in rows if state != START]:
        gone = rows.pop(channel)
        stays = gone.pop(channel, Fraction(0))
        for row in rows.values():
            passing = row.pop(channel, Fraction(0)) / (1 - stays)
            for to, probability in gone.items() if passing else ():
                row[to] = row.get(to, Fraction(0)) + passing * probability
    return rows.get(START, {}).get(CONV, Fraction(0))


def by_definition(paths: list[Path]) -> dict[str, Fraction]:
    """Shares in proportion to the removal effects."""
    whole = conversion_probability(paths)
    channels = sorted({channel for path in paths for channel in path.channels})
    effects = {each: 1 - conversion_probability(paths, each) / whole if whole else Fraction(0) for each in channels}
    return {channel: effect / (sum(effects.values()) or 1) for channel, effect in effects.items()}


def conversions(paths: list[Path]) -> dict[str, float]:
    return {channel: float(credit.conversions) for channel, credit in credits_of("markov", paths).items()}


@pytest.mark.parametrize(
    ("told", "credited", "tolerance"),
    [
        # S. Bryl, Marketing Multi-Channel Attribution model with R (part 1), analyzecore.com, 2016: P = 1/3, removal
        # effects 0.5, 1, 1. ChannelAttribution's simulation prints 0.1991463, 0.4004269, 0.4004269 for the same paths.
        pytest.param({"c1 > c2 > c3": (1, 0, 0), "c1": (0, 0, 1), "c2 > c3": (0, 0, 1)}, {"c1": 0.2, "c2": 0.4, "c3": 0.4}, 1e-12, id="Bryl"),
        pytest.param({"c1 > c2 > c3": (1, 0, 0), "c1": (0, 0, 1), "c2 > c3": (0, 0, 1)}, {"c1": 0.1991463, "c2": 0.4004269, "c3": 0.4004269}, 5e-3, id="Bryl, as ChannelAttribution simulates it"),
        # S. Puzyrov, Markov Chain Attribution, a simple explanation of removal effect, serhiipuzyrov.com, 2019: the chain
        # converts with 0.8, with 0.2 without Google Ads and with 0.4 without mailing.
        pytest.param({"google ads": (2, 0, 1), "mailing": (1, 0, 0), "google ads > mailing": (1, 0, 0)}, {"google ads": 2.4, "mailing": 1.6}, 1e-12, id="Puzyrov"),
        # README of the package pychattr, a simulation: repeated channels, loops, nobody lost.
        pytest.param({"A > B > A > B > B > A": (1, 1, 0), "A > B > B > A > A": (1, 1, 0), "A > A": (1, 1, 0)}, {"A": 1.991106, "B": 1.008894}, 1e-2, id="pychattr"),
    ],
)  # fmt: skip
def test_published_examples(told: dict[str, Counts], credited: dict[str, float], tolerance: float) -> None:
    assert conversions(counted(told)) == pytest.approx(credited, rel=tolerance)


@given(drawn_paths())
def test_it_is_the_definition_with_the_chain_solved_anew_without_each_channel(paths: list[Path]) -> None:
    expected = by_definition(paths)
    total = sum(path.conversions for path in paths)
    assert conversions(paths) == pytest.approx(
        {channel: float(share * total) for channel, share in expected.items()}, rel=1e-12, abs=1e-12
    )


@given(drawn_paths("abc"))
def test_repeats_of_a_channel_in_a_row_change_nothing(paths: list[Path]) -> None:
    twice = [path._replace(channels=tuple(each for channel in path.channels for each in (channel, channel))) for path in paths]  # fmt: skip
    assert conversions(twice) == pytest.approx(conversions(paths), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("told", "credited"),
    [
        pytest.param({"a > b": (2, 5, 0)}, {"a": (1, 2.5), "b": (1, 2.5)}, id="nobody is lost, each is on the only way"),
        pytest.param({"a": (3, 9, 0), "b": (1, 3, 0)}, {"a": (3, 9), "b": (1, 3)}, id="nobody is lost, two ways"),
        pytest.param({"a > a > a": (3, 9, 4)}, {"a": (3, 9)}, id="one channel, in a loop"),
        pytest.param({"a > b": (0, 0, 4), "b": (0, 0, 1)}, {"a": (0, 0), "b": (0, 0)}, id="no conversions at all"),
        pytest.param({"a": (3, 9, 4), "b": (0, 0, 9)}, {"a": (3, 9), "b": (0, 0)}, id="a way on which all are lost"),
        pytest.param({"a": (3, 9, 4), "b > c > b": (0, 0, 9), "a > c": (0, 0, 1)}, {"a": (3, 9), "b": (0, 0), "c": (0, 0)}, id="a trap"),
        pytest.param({"b": (1, 2, 0), "a > b": (0, 0, 1)}, {"a": (Fraction(1, 3), Fraction(2, 3)), "b": (Fraction(2, 3), Fraction(4, 3))}, id="only lost journeys began with a, but it leads to b, which converts"),
        pytest.param({"a": (3, 9, 4), "b > a": (0, 0, 0)}, {"a": (3, 9), "b": (0, 0)}, id="a path that nobody took"),
        pytest.param({}, {}, id="no paths"),
    ],
)  # fmt: skip
def test_edges(told: dict[str, Counts], credited: dict[str, tuple[Fraction, Fraction]]) -> None:
    found = credits_of("markov", counted(told))
    assert list(found) == list(credited)
    for channel, expected in credited.items():
        assert tuple(map(float, found[channel])) == pytest.approx(tuple(map(float, expected)), rel=1e-14, abs=1e-15)


def test_thousands_of_campaigns_are_credited() -> None:
    paths = [Path((f"{number}", f"{number * 7 % 1999}"), number % 3, 0, 9) for number in range(1999)]
    found = credits_of("markov", paths)
    assert len(found) == 1999
    assert sum(credit.conversions for credit in found.values()) == sum(path.conversions for path in paths)


def test_more_channels_than_fit_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markov, "MOST_CHANNELS", 2)
    with pytest.raises(Refused, match="markov takes at most 2 channels, these paths have 3"):
        credits_of("markov", counted({"a > b > c": (1, 0, 0)}))
