"""How far the readers are behind the log."""

import pytest

from services.reports.standing import lag_of


@pytest.mark.parametrize(
    ("events", "deals", "positions", "lag"),
    [
        ([0, 0], [0], {}, (0, 0)),
        ([3, 4], [2], {}, (9, 2)),
        ([3, 4], [2], {("identity", "events", 0): 3, ("identity", "events", 1): 1}, (5, 2)),
        ([3, 4], [2], {("identity", "deals", 0): 2}, (7, 2)),
        ([3, 4], [2], {("attributor", "deals", 0): 2}, (9, 0)),
        ([3, 4], [2], {("somebody", "deals", 0): 2}, (9, 2)),
        ([3], [0], {("identity", "events", 0): 5}, (0, 0)),
    ],
)
def test_identity_reads_both_topics_and_the_attributor_deals_alone(events, deals, positions, lag):
    assert lag_of({"events": events, "deals": deals}, positions) == {"identity": lag[0], "attributor": lag[1]}
