"""A score from the moments of a history."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.score import DEFAULT_SCORE, ScorePart, ScoreRules
from services.reports.score import Moment, pieces_of, reached_at, reaches, total_of
from tests.builders import SITE, at


def rules(threshold=50, **parts):
    return ScoreRules(threshold=threshold, parts={name: ScorePart(**part) for name, part in parts.items()})


def visits(**changes):
    return {"counts": "visit", "points": 10, "at_most": 100, **changes}


VISIT_ON_DAY_1 = Moment("visit", at("12:00", 1), SITE)
FORM_ON_DAY_11 = Moment("form", at("12:00", 11), SITE + "contact")
NOON = at("12:00", 21)

CASES = [
    ("a moment gives its points", visits(), 1000),
    ("after a half-life it is worth half", visits(half_life_days=20), 500),
    ("after two a quarter", visits(half_life_days=10), 250),
    ("a part adds so much at most", visits(at_most=4), 400),
    ("what is unwanted takes points away", visits(points=-3), -300),
    ("and so much at most", visits(points=-3, at_most=2), -200),
    ("a page counts by how its path begins", visits(path="/pricing"), 0),
    ("the site's own page does", visits(path="/"), 1000),
    ("another kind does not count", visits(counts="download"), 0),
    ("each whole day of silence takes away", {"counts": "days_since_last", "points": -0.5, "at_most": 30}, -500),
    ("and so much at most, too", {"counts": "days_since_last", "points": -1, "at_most": 3}, -300),
]


@pytest.mark.parametrize(("part", "hundredths"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_what_a_visit_20_days_and_a_form_10_days_ago_make(part, hundredths):
    assert total_of(pieces_of(rules(part=part), [VISIT_ON_DAY_1, FORM_ON_DAY_11], NOON)) == hundredths


def test_a_custom_event_counts_by_its_name():
    moments = [Moment("custom", at(day=1), None, "demo asked for"), Moment("custom", at(day=2), None, "scrolled")]
    part = {"counts": "custom", "name": "demo asked for", "points": 30, "at_most": 60}
    assert [piece.at for piece in pieces_of(rules(demo=part), moments, NOON)] == [at(day=1)]


def test_the_newest_moments_fill_a_part_first():
    moments = [Moment("visit", at(day=day)) for day in (1, 2, 3)]
    pieces = pieces_of(rules(visits=visits(at_most=15)), moments, NOON)
    assert [(piece.at, piece.hundredths) for piece in pieces] == [(at(day=2), 500), (at(day=3), 1000)]


def test_what_lies_after_the_time_of_reading_is_not_there_yet():
    assert pieces_of(rules(visits=visits()), [VISIT_ON_DAY_1], at("11:59", 1)) == []


def test_a_history_without_moments_has_no_score():
    assert pieces_of(DEFAULT_SCORE, [], NOON) == []
    assert reached_at(DEFAULT_SCORE, [], NOON) is None


def test_a_page_that_is_no_address_counts_for_no_path():
    assert pieces_of(rules(visits=visits(path="/")), [Moment("visit", at(day=1), "http://[broken")], NOON) == []


def test_the_threshold_is_reached_on_the_day_when_the_score_first_was_enough_though_it_has_faded_since():
    moments = [Moment("visit", at(day=day)) for day in (1, 2, 3, 100)]
    fading = rules(20, visits=visits(half_life_days=30))
    assert reached_at(fading, moments, at(day=200)) == at(day=3)
    assert not reaches(fading, total_of(pieces_of(fading, moments, at(day=200))))


HISTORIES = st.lists(
    st.builds(
        lambda kind, hours: Moment(kind, at() + timedelta(hours=hours), SITE + "pricing"),
        st.sampled_from(["visit", "pageview", "form", "download", "custom"]),
        st.integers(0, 2000),
    ),
    max_size=30,
).map(lambda moments: sorted(moments, key=lambda moment: moment.at))
RULES = st.builds(
    lambda threshold, parts: ScoreRules(threshold=threshold, parts={str(n): part for n, part in enumerate(parts)}),
    st.integers(1, 60),
    st.lists(
        st.builds(
            ScorePart,
            counts=st.sampled_from(["visit", "pageview", "form"]),
            points=st.integers(1, 20),
            at_most=st.integers(5, 60),
            half_life_days=st.sampled_from([None, 1, 10, 45.5]),
        )
        | st.builds(
            ScorePart, counts=st.sampled_from(["visit", "days_since_last"]), points=st.just(-3), at_most=st.just(12)
        ),
        max_size=4,
    ),
)


@given(RULES, HISTORIES, st.integers(0, 2100))
def test_whoever_has_the_score_now_has_reached_it_and_never_before_it_was_enough(rules, moments, hours):
    now = at() + timedelta(hours=hours)
    reached = reached_at(rules, moments, now)
    if reaches(rules, total_of(pieces_of(rules, moments, now))):
        assert reached is not None
    if reached is not None:
        assert reached <= now
        assert reaches(rules, total_of(pieces_of(rules, moments, reached)))


@given(RULES, HISTORIES)
def test_no_part_gives_or_takes_more_than_it_may(rules, moments):
    pieces = pieces_of(rules, moments, at(day=60))
    for name, part in rules.parts.items():
        assert abs(sum(piece.hundredths for piece in pieces if piece.part == name)) <= part.at_most * 100
