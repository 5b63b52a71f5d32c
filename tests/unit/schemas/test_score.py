"""The setting that says what makes up a score: what it can say, and what it is told when it cannot."""

import pytest

from schemas.score import DEFAULT_SCORE, parse_score

VISITS = '"visits": {"counts": "visit", "points": 2, "at_most": 20}'

REFUSED = [
    ("", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
    ("[]", "Input should be an object"),
    ('{"threshold": 50}', "parts: Field required"),
    ('{"threshold": 0, "parts": {}}', "threshold: Input should be greater than 0"),
    ('{"threshold": 50, "parts": {"a": {"counts": "visit", "points": 2}}}', "parts.a.at_most: Field required"),
    (
        '{"threshold": 50, "parts": {"a": {"counts": "visit", "points": 2, "at_most": 9, "half_live_days": 3}}}',
        "parts.a.half_live_days: Extra inputs are not permitted",
    ),
    (
        '{"threshold": 50, "parts": {"a": {"counts": "visit", "points": "2", "at_most": 9}}}',
        "parts.a.points: Input should be a valid number",
    ),
    (
        '{"threshold": 50, "parts": {"a": {"counts": "visit", "points": 2, "at_most": 9, "half_life_days": 0}}}',
        "parts.a.half_life_days: Input should be greater than 0",
    ),
    (
        '{"threshold": 50, "parts": {"a": {"counts": "visit", "points": -2, "at_most": 9, "half_life_days": 3}}}',
        "parts.a: what takes points away does not fade; leave out half_life_days",
    ),
    (
        '{"threshold": 50, "parts": {"a": {"counts": "days_since_last", "points": 1, "at_most": 9}}}',
        "parts.a: days_since_last takes points below 0, and neither path nor name",
    ),
]


def test_the_setting_names_its_parts_and_a_threshold():
    rules = parse_score('{"threshold": 30, "parts": {' + VISITS + "}}")
    assert rules.threshold == 30
    assert (rules.parts["visits"].counts, rules.parts["visits"].half_life_days) == ("visit", None)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_wrong_setting_is_told_the_place_and_the_fault_in_one_line(text, reason):
    with pytest.raises(ValueError) as error:
        parse_score(text)
    assert str(error.value) == reason


def test_what_counts_by_default_can_be_written_as_a_setting():
    assert parse_score(DEFAULT_SCORE.model_dump_json()) == DEFAULT_SCORE
