from dataclasses import replace
from datetime import timedelta

import pytest

from services.runtime.rules import Rules, differences, fingerprint_of_lists, rules_of
from services.runtime.settings import Settings

CHANGES = "; `closedloop replay` shows what the change would move, and makes it"
RULES = Rules(90, ("a.example", "b.example"), "Europe/Berlin", lists="0123456789ab")


def test_the_rules_are_those_settings_that_decide():
    settings = Settings(lookback_days=90, own_domains="b.example, a.example", timezone="Europe/Berlin")
    assert rules_of(settings) == replace(RULES, lists=fingerprint_of_lists())
    assert len(fingerprint_of_lists()) == len(RULES.lists)
    assert RULES.lookback == timedelta(days=90)
    assert RULES.zone.key == "Europe/Berlin"


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        pytest.param(RULES, [], id="none"),
        pytest.param(
            replace(RULES, lookback_days=30),
            [f"CLOSEDLOOP_LOOKBACK_DAYS: kept 90, set is 30{CHANGES}"],
            id="lookback",
        ),
        pytest.param(
            replace(RULES, own_domains=(), timezone="UTC"),
            [
                f"CLOSEDLOOP_OWN_DOMAINS: kept a.example, b.example, set is (none){CHANGES}",
                f"CLOSEDLOOP_TIMEZONE: kept Europe/Berlin, set is UTC{CHANGES}",
            ],
            id="domains and zone",
        ),
        pytest.param(
            replace(RULES, models='{"ours": {"first": "1"}}'),
            [f'CLOSEDLOOP_MODELS: kept (none), set is {{"ours": {{"first": "1"}}}}{CHANGES}'],
            id="models",
        ),
        pytest.param(
            replace(RULES, lists="ba9876543210"),
            [f"lists of known sources: kept 0123456789ab, here is ba9876543210{CHANGES}"],
            id="lists",
        ),
    ],
)
def test_each_rule_that_the_settings_would_have_otherwise_is_told_in_one_line(wanted, lines):
    assert differences(RULES, wanted) == lines
