"""What holds of every model that counted paths can answer, and the credits of single journeys by hand."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.credit import MODELS as KEPT
from schemas.credit import PERIOD_MODELS
from services.attribution.path_models import MODELS, SHARINGS, UNTOLD, credits_of
from services.attribution.paths import Path, Refused
from tests.unit.services.attribution.counted import drawn_paths, totals

a_few = settings(max_examples=25)
"""Of each of nine models."""
each_model = pytest.mark.parametrize("model", MODELS)


@pytest.mark.parametrize(
    ("model", "path", "percent"),
    [
        ("first_touch", "a b c", [100, 0, 0]),
        ("last_touch", "a b c", [0, 0, 100]),
        ("linear", "a b a b", [25, 25, 25, 25]),
        ("position_based", "a b c d", [40, 10, 10, 40]),
        ("last_non_direct", "a b", [0, 100]),
        ("last_non_direct", "a b Direct direct", [0, 100, 0, 0]),
        ("last_non_direct", "Direct Direct", [0, 100]),
        ("j_shaped", "a", [100]),
        ("j_shaped", "a b", [25, 75]),
        ("j_shaped", "a b c d", [20, 10, 10, 60]),
        ("inverse_j", "a", [100]),
        ("inverse_j", "a b", [75, 25]),
        ("inverse_j", "a b c", [60, 20, 20]),
    ],
)
def test_how_one_journey_is_shared(model: str, path: str, percent: list[int]) -> None:
    parts = SHARINGS[model](tuple(path.split()))
    assert [Fraction(part, sum(parts)) for part in parts] == [Fraction(each, 100) for each in percent]


def test_every_model_can_be_asked_of_paths_or_is_refused_with_a_reason() -> None:
    assert {*MODELS, *UNTOLD} == {*KEPT, *PERIOD_MODELS, "custom"}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("time_decay", "the model time_decay needs to know when each touch was, which paths do not tell"),
        ("w_shaped", "the model w_shaped needs to know when the lead and the deal were created"),
        ("full_path", "the model full_path needs to know when the lead and the deal were created"),
        ("markow", "there is no model 'markow'; paths can be asked for first_touch, last_touch, "),
    ],
)
def test_a_model_that_paths_cannot_answer_is_refused_with_the_reason(model: str, told: str) -> None:
    with pytest.raises(Refused) as refused:
        credits_of(model, [Path(("a",), 1, 0, 0)])
    assert str(refused.value).startswith(told)


@each_model
@a_few
@given(drawn_paths())
def test_credits_sum_to_the_totals_exactly_and_none_is_negative(model: str, paths: list[Path]) -> None:
    credited = credits_of(model, paths).values()
    assert (sum(each.conversions for each in credited), sum(each.value for each in credited)) == totals(paths)
    assert all(each.conversions >= 0 <= each.value for each in credited)


@each_model
@a_few
@given(paths=drawn_paths(), random=st.randoms(use_true_random=False))
def test_the_order_of_paths_does_not_matter(model: str, paths: list[Path], random: random.Random) -> None:
    others = list(paths)
    random.shuffle(others)
    assert credits_of(model, others) == credits_of(model, paths)


@each_model
@a_few
@given(drawn_paths())
def test_a_path_counted_in_two_parts_is_the_same_path(model: str, paths: list[Path]) -> None:
    parts = [(path._replace(conversions=path.conversions // 2, value=path.value // 3, nulls=path.nulls // 2), path) for path in paths]  # fmt: skip
    halves = [half for one, path in parts for half in (one, Path(path.channels, *(all_of - its for all_of, its in zip(path[1:], one[1:], strict=True))))]  # fmt: skip
    if model == "markov" or all(half.conversions or not half.value for half in halves):
        assert credits_of(model, halves) == credits_of(model, paths)


@each_model
@a_few
@given(paths=drawn_paths(), names=st.permutations("vwxyz"))
def test_other_names_for_the_channels_change_nothing_but_names(model: str, paths: list[Path], names: list[str]) -> None:
    named = dict(zip("abcde", names, strict=True))
    renamed = [path._replace(channels=tuple(named[channel] for channel in path.channels)) for path in paths]
    found = {channel: tuple(map(float, credit)) for channel, credit in credits_of(model, renamed).items()}
    for channel, credit in credits_of(model, paths).items():
        assert found[named[channel]] == pytest.approx(tuple(map(float, credit)), rel=1e-12, abs=1e-9)


@each_model
@a_few
@given(drawn_paths(), st.integers(2, 10**6))
def test_ten_times_the_journeys_are_ten_times_the_credits(model: str, paths: list[Path], times: int) -> None:
    more = [Path(path.channels, *(count * times for count in path[1:])) for path in paths]
    found = credits_of(model, more)
    for channel, credit in credits_of(model, paths).items():
        expected = tuple(float(amount * times) for amount in credit)
        assert tuple(map(float, found[channel])) == pytest.approx(expected, rel=1e-12, abs=1e-9 * times)


@pytest.mark.parametrize("model", SHARINGS)
@a_few
@given(drawn_paths())
def test_a_channel_of_no_converting_path_earns_nothing(model: str, paths: list[Path]) -> None:
    converting = {channel for path in paths if path.conversions for channel in path.channels}
    for channel, credit in credits_of(model, paths).items():
        assert channel in converting or credit == (0, 0)
