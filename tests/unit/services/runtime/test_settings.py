"""Settings as the environment gives them."""

import pytest

from schemas.score import DEFAULT_SCORE
from services.runtime.settings import SettingsError, load_settings


def test_the_score_is_read_from_json_and_survives_the_keys_that_are_added(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    assert load_settings().score == DEFAULT_SCORE
    monkeypatch.setenv("CLOSEDLOOP_SCORE", '{"threshold": 9, "parts": {}}')
    assert load_settings().with_keys({"write_key": "made"}).score.threshold == 9


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BROKER", "kafka://a:9092,b:70000", "='kafka://a:9092,b:70000': 'kafka://a:9092,b:70000' is neither"),
        ("KAFKA_PREFIX", "our loop-", "='our loop-': 'our loop-' cannot begin the name of a topic"),
        ("KAFKA_SASL", "PLAIN", "='PLAIN': needs CLOSEDLOOP_KAFKA_USER and CLOSEDLOOP_KAFKA_PASSWORD"),
        ("OWN_DOMAINS", "a.org b.org/shop", "='a.org b.org/shop': 'b.org/shop' is no host name"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "='10.0.0.1/8': '10.0.0.1/8' is no address or network"),
        ("PUBLIC_URL", "ftp://a.org", "='ftp://a.org': 'ftp://a.org' is no address"),
        ("TIMEZONE", "../etc/passwd", "='../etc/passwd': '../etc/passwd' is no IANA time zone"),
        ("TIMEZONE", "localtime", "='localtime': 'localtime' is no IANA time zone"),
        ("TIMEZONE", "Factory", "='Factory': 'Factory' is no IANA time zone"),
        ("TIMEZONE", "right/Europe/Berlin", "='right/Europe/Berlin': 'right/Europe/Berlin' is no IANA time zone"),
        ("ID_KEY", "k3y", ": is shorter than 16 characters"),
        ("WEBHOOK_SECRET", "whsec_", ": is no secret of Standard Webhooks"),
        ("OPS_PORT", "65533", "='65533': Input should be less than or equal to 65532"),
    ],
)
def test_a_wrong_value_is_refused_by_the_settings_name_and_shown_unless_it_is_secret(
    monkeypatch, tmp_path, name, value, told
):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(f"CLOSEDLOOP_{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value).startswith(f"CLOSEDLOOP_{name}{told}")


def test_lists_are_separated_by_commas_or_white_space(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CLOSEDLOOP_OWN_DOMAINS", "Shop.example, blog.example  b.example")
    monkeypatch.setenv("CLOSEDLOOP_TRUSTED_PROXIES", "*,::1")
    settings = load_settings()
    assert settings.own_domains == ("shop.example", "blog.example", "b.example")
    assert settings.trusted_proxies == ("*", "::1")


def test_a_score_that_cannot_be_read_is_one_line_with_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOSEDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CLOSEDLOOP_SCORE", '{"threshold": 9, "parts": {"a": {"counts": "visits"}}}')
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("CLOSEDLOOP_SCORE=")
    assert "parts.a.counts: Input should be 'visit', 'pageview'" in str(error.value)
