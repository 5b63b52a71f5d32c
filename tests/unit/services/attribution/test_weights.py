"""The models of single journeys, with shares worked out by hand."""

from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.credit import MODELS as KEPT
from schemas.credit import Milestones
from services.attribution.weights import MODELS, Course, models_of, shares_of
from tests.builders import at

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def shares(model, course, custom=None):
    parts = models_of(custom or {})[model](course)
    return [Fraction(part, sum(parts)) for part in parts]


def course(length, lead=0, deal=0):
    return Course(["Email"] * length, [at(day=day + 1) for day in range(length)], lead, deal)


def percent(*parts):
    return [Fraction(part) / 100 for part in parts]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first_touch", [[100], [100, 0], [100, 0, 0], [100, 0, 0, 0], [100, 0, 0, 0, 0], [100, 0, 0, 0, 0, 0]]),
        ("last_touch", [[100], [0, 100], [0, 0, 100], [0, 0, 0, 100], [0, 0, 0, 0, 100], [0, 0, 0, 0, 0, 100]]),
        ("linear", [[100], [50, 50], [THIRD * 100] * 3, [25] * 4, [20] * 5, [Fraction(50, 3)] * 6]),
        (
            "position_based",
            [[100], [50, 50], [40, 20, 40], [40, 10, 10, 40], [40, *[Fraction(20, 3)] * 3, 40], [40, 5, 5, 5, 5, 40]],
        ),
        (
            "j_shaped",
            [[100], [25, 75], [20, 20, 60], [20, 10, 10, 60], [20, *[Fraction(20, 3)] * 3, 60], [20, 5, 5, 5, 5, 60]],
        ),
        (
            "inverse_j",
            [[100], [75, 25], [60, 20, 20], [60, 10, 10, 20], [60, *[Fraction(20, 3)] * 3, 20], [60, 5, 5, 5, 5, 20]],
        ),
    ],
)
def test_how_much_each_of_one_to_six_touches_earned(model, expected):
    for length, parts in enumerate(expected, start=1):
        assert shares(model, course(length)) == percent(*parts)


@pytest.mark.parametrize(
    ("model", "length", "lead", "deal", "parts"),
    [
        pytest.param("w_shaped", 1, 0, 0, [100], id="one touch takes all"),
        pytest.param("w_shaped", 4, 1, 3, [30, 30, 10, 30], id="three milestones and another"),
        pytest.param("w_shaped", 5, 1, 2, [30, 30, 30, 5, 5], id="the last is no milestone"),
        pytest.param("w_shaped", 6, 2, 4, [30, *[Fraction(10, 3)] * 1, 30, Fraction(10, 3), 30, Fraction(10, 3)], id="six"),
        pytest.param("w_shaped", 3, 1, 2, [THIRD * 100] * 3, id="nobody else: a third each"),
        pytest.param("w_shaped", 2, 0, 1, [Fraction(200, 3), Fraction(100, 3)], id="first and lead coincide"),
        pytest.param("w_shaped", 2, 1, 1, [Fraction(100, 3), Fraction(200, 3)], id="lead and deal coincide"),
        pytest.param("w_shaped", 2, 0, 0, [90, 10], id="all coincide, and another"),
        pytest.param("w_shaped", 3, 0, 0, [90, 5, 5], id="all coincide, and two others"),
        pytest.param("full_path", 1, 0, 0, [100], id="one touch takes all of the full path"),
        pytest.param("full_path", 2, 0, 1, [50, 50], id="two and two coincide"),
        pytest.param("full_path", 2, 0, 0, [75, 25], id="three coincide"),
        pytest.param("full_path", 4, 1, 2, [25] * 4, id="nobody else: a quarter each"),
        pytest.param("full_path", 5, 1, 3, [22.5, 22.5, 10, 22.5, 22.5], id="four milestones and another"),
        pytest.param("full_path", 6, 2, 2, [22.5, *[Fraction(10, 3)] * 1, 45, Fraction(10, 3), Fraction(10, 3), 22.5], id="lead and deal at once"),
        pytest.param("full_path", 6, 5, 5, [22.5, 2.5, 2.5, 2.5, 2.5, 67.5], id="lead, deal and last at once"),
    ],
)  # fmt: skip
def test_milestones_that_coincide_add_up_and_others_share_evenly(model, length, lead, deal, parts):
    assert shares(model, course(length, lead, deal)) == percent(*parts)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param([0], [1], id="alone"),
        pytest.param([7, 0], [THIRD, 2 * THIRD], id="a week"),
        pytest.param([14, 7, 0], [Fraction(1, 7), Fraction(2, 7), Fraction(4, 7)], id="two weeks"),
        pytest.param([21, 14, 7, 0], [Fraction(n, 15) for n in (1, 2, 4, 8)], id="three weeks"),
        pytest.param([8, 1], [THIRD, 2 * THIRD], id="ages count from the last touch"),
        pytest.param([0, 0], [HALF, HALF], id="at once"),
        pytest.param([3640, 0], [Fraction(1, 2**520 + 1), Fraction(2**520, 2**520 + 1)], id="ten years"),
        pytest.param([7 * 1100, 0], [0, 1], id="too long ago for a double"),
    ],
)
def test_a_week_halves_what_a_touch_earned(days, expected):
    times = [at(day=20_000) - timedelta(days=day) for day in days]
    assert shares("time_decay", Course(["Email"] * len(days), times)) == expected


def test_half_lives_are_taken_to_the_second():
    """Ages of 13, 8, 3 and 0 days; figures worked out with 2**(-age/7)."""
    times = [at(day=20) - timedelta(days=day) for day in (13, 8, 3, 0)]
    parts = MODELS["time_decay"](Course(["Email"] * 4, times))
    assert shares_of(parts) == pytest.approx([0.111665, 0.183205, 0.300580, 0.404550], abs=1e-6)


@pytest.mark.parametrize(
    ("channels", "place"),
    [
        (["Email"], 0),
        (["Direct"], 0),
        (["Email", "Direct"], 0),
        (["Email", "Referral", "Direct", "Direct"], 1),
        (["Direct", "Email"], 1),
        (["Direct", "Direct", "Direct"], 2),
    ],
)
def test_the_last_touch_that_is_not_direct_takes_all(channels, place):
    assert shares("last_non_direct", Course(channels)) == [int(each == place) for each in range(len(channels))]


@pytest.mark.parametrize(
    ("custom", "length", "lead", "deal", "parts"),
    [
        pytest.param(Milestones(lead=1), 3, 1, 2, [0, 100, 0], id="all to the lead's creation"),
        pytest.param(Milestones(first=1, deal=1, others=2), 4, 3, 2, [25, 25, 25, 25], id="no share for the last"),
        pytest.param(Milestones(first=1, deal=1, others=2), 2, 1, 1, [50, 50], id="nobody else"),
        pytest.param(Milestones(others=1), 2, 0, 0, [50, 50], id="only others: linear"),
        pytest.param(Milestones(last=3, others=1), 5, 0, 0, [*[Fraction(25, 4)] * 4, 75], id="one milestone"),
        pytest.param(Milestones(first=1, last=1), 3, 0, 0, [50, 0, 50], id="nothing for others"),
    ],
)
def test_a_model_of_the_settings_gives_as_it_says(custom, length, lead, deal, parts):
    assert shares("ours", course(length, lead, deal), {"ours": custom}) == percent(*parts)


@given(st.sampled_from(sorted(MODELS)), st.data())
def test_shares_sum_to_one_and_none_is_negative(model, data):
    length = data.draw(st.integers(1, 40))
    lead, deal = data.draw(st.integers(0, length - 1)), data.draw(st.integers(0, length - 1))
    channels = data.draw(st.lists(st.sampled_from(["Direct", "Email"]), min_size=length, max_size=length))
    hours = sorted(data.draw(st.lists(st.integers(0, 90_000), min_size=length, max_size=length)))
    parts = MODELS[model](Course(channels, [at() + timedelta(hours=hour) for hour in hours], lead, deal))
    assert len(parts) == length
    assert all(type(part) is int and part >= 0 for part in parts)
    assert sum(shares_of(parts)) == pytest.approx(1)


def test_the_later_a_touch_the_more_it_earns_by_time():
    found = MODELS["time_decay"](course(30))
    assert all(earlier < later for earlier, later in pairwise(found))


def test_every_model_that_the_ledger_keeps_has_its_weights():
    assert set(MODELS) == set(KEPT)
