"""Settings as the environment gives them."""

import pytest

from schemas.score import DEFAULT_SCORE
from services.runtime.settings import SettingsError, load_settings


def test_the_score_is_read_from_json_and_survives_the_keys_that_are_added(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    assert load_settings().score == DEFAULT_SCORE
    monkeypatch.setenv("CLOSEDLOOP_SCORE", '{"threshold": 9, "parts": {}}')
    assert load_settings().with_keys({"write_key": "made"}).score.threshold == 9


def test_a_score_that_cannot_be_read_is_one_line_with_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CLOSEDLOOP_SCORE", '{"threshold": 9, "parts": {"a": {"counts": "visits"}}}')
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("CLOSEDLOOP_SCORE=")
    assert "parts.a.counts: Input should be 'visit', 'pageview'" in str(error.value)
