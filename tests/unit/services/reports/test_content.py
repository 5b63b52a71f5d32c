"""How likely winning was with a page and without it."""

import pytest

from services.reports.content import compared, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Table I of R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998): method 3.
        pytest.param(81, 263, 0.2553, 0.3662, id="a share of many"),
        pytest.param(15, 148, 0.0624, 0.1605, id="a small share"),
        pytest.param(0, 20, 0.0, 0.1611, id="none of few"),
        pytest.param(1, 29, 0.0061, 0.1718, id="one of few"),
    ],
)
def test_the_interval_of_a_share_is_that_of_wilson(hits, trials, low, high):
    assert wilson(hits, trials) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_all_of_few_is_not_taken_for_certain():
    low, high = wilson(3, 3)
    assert (round(low, 4), high) == (0.4385, 1.0)


CASES = [
    pytest.param((40, 20, 100, 26), {"rate_with": 0.5, "rate_without": 0.1, "lift": 5.0, "few": False}, id="five times as likely"),
    pytest.param((40, 4, 100, 34), {"rate_with": 0.1, "rate_without": 0.5, "lift": 0.2, "few": False}, id="less likely"),
    pytest.param((40, 4, 100, 4), {"rate_without": 0.0, "lift": None, "few": False}, id="nobody won without it"),
    pytest.param((40, 4, 40, 4), {"rate_without": None, "lift": None, "few": True}, id="everybody saw it"),
    pytest.param((29, 4, 100, 8), {"few": True}, id="few saw it"),
    pytest.param((71, 4, 100, 8), {"few": True}, id="few did not see it"),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "expected"), CASES)
def test_journeys_with_a_page_are_compared_with_those_without(counts, expected):
    figures = compared(*counts)
    assert {name: figures[name] for name in expected} == expected
    assert figures["rate_with_low"] < figures["rate_with"] < figures["rate_with_high"]
