"""Models of the settings: how they are written, and when they are refused."""

import pytest

from schemas.credit import Milestones, models_text, parse_models
from services.runtime.settings import SettingsError, load_settings

TWICE = '{"b": {"last": 1}, "a": {"first": 0.5, "others": 0.5}}'


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("", {}),
        ("{}", {}),
        ('{"mine": {"first": 1}}', {"mine": Milestones(first=1)}),
        ('{"mine": {"first": 0.1, "lead": 0.2, "deal": 0.3, "others": 0.4}}', {"mine": Milestones(1, 2, 3, 0, 4)}),
        ('{"mine": {"first": "1/3", "last": "2/3"}}', {"mine": Milestones(first=1, last=2)}),
        ('{"mine": {"first": 1e-1, "others": 0.9, "last": 0}}', {"mine": Milestones(first=1, others=9)}),
        (TWICE, {"a": Milestones(first=1, others=1), "b": Milestones(last=1)}),
    ],
)
def test_parts_are_taken_as_they_are_written(text, models):
    assert parse_models(text) == models


def test_a_model_has_one_text_however_it_was_written():
    assert models_text(parse_models(TWICE)) == '{"a": {"first": "1/2", "others": "1/2"}, "b": {"last": "1"}}'
    assert parse_models(models_text(parse_models(TWICE))) == parse_models(TWICE)


def test_no_models_are_the_same_rule_however_that_is_said():
    assert models_text(parse_models("{}")) == models_text(parse_models("")) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[]", "is no JSON object such as"),
        ('{"linear": {"others": 1}}', "there is a model linear already"),
        ('{"markov": {"others": 1}}', "there is a model markov already"),
        ('{"My model": {"others": 1}}', "is no name of a model"),
        ('{"mine": 1}', "mine is no object of first, lead, deal, last, others"),
        ('{"mine": {"middle": 1}}', "mine is no object of first, lead, deal, last, others"),
        ('{"mine": {}}', "do not"),
        ('{"mine": {"first": 0.9}}', "are not numbers from 0 on that sum to 1"),
        ('{"mine": {"first": 2, "last": -1}}', "are not numbers from 0 on that sum to 1"),
        ('{"mine": {"first": 1}, "mine": {"last": 1}}', "'mine' is there twice"),
        ('{"mine": {"first": 0.5, "first": 0.5, "last": 0.5}}', "'first' is there twice"),
        ('{"mine": {"first": true}}', "a part that is no number"),
        ('{"mine": {"first": NaN}}', "a part that is no number"),
        ('{"mine": {"first": "half", "last": 0.5}}', "a part that is no number"),
        ('{"mine": {"first": null, "last": 1}}', "a part that is no number"),
        ('{"mine": {"first": "1/0"}}', "a part that is divided by 0"),
        ('{"mine": {"first": 1e99999999}}', "a part that is no number"),
        ('{"mine": {"first": "1e99999999"}}', "a part that is no number"),
        pytest.param(
            f'{{"mine": {{"first": 1{"0" * 5000}}}}}', "a part that is no number", id="a number of 5001 digits"
        ),
    ],
)
def test_a_model_that_gives_no_whole_is_refused_in_one_line(text, told, monkeypatch):
    monkeypatch.setenv("CLOSEDLOOP_MODELS", text)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith("CLOSEDLOOP_MODELS=")
    assert "\n" not in str(refused.value)
    assert told.replace("do not", "are not numbers") in str(refused.value)
