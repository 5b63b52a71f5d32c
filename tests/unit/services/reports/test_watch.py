"""The figures of the watcher, as pure functions of what it saw."""

from datetime import UTC, datetime

import pytest

from services.reports.watch import PAGE_DEALS, Walk, lag_records, unread_of
from services.reports.watched import Look, Notes, families_of

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("positions", "lag"),
    [
        pytest.param({}, {("identity", "events"): 7, ("identity", "deals"): 2, ("attributor", "deals"): 2}, id="nobody began"),
        pytest.param(
            {("identity", "events", 0): 3, ("identity", "events", 1): 1, ("attributor", "deals", 0): 2},
            {("identity", "events"): 3, ("identity", "deals"): 2, ("attributor", "deals"): 0},
            id="each group by itself",
        ),
        pytest.param(
            {("identity", "events", 0): 9, ("identity", "events", 1): 4, ("identity", "deals", 0): 2, ("attributor", "deals", 0): 3},
            {("identity", "events"): 0, ("identity", "deals"): 0, ("attributor", "deals"): 0},
            id="ahead of an older look at the ends is not behind",
        ),
    ],
)  # fmt: skip
def test_a_group_is_behind_by_what_it_has_not_read_of_its_topics(positions, lag):
    assert lag_records(unread_of({"events": [3, 4], "deals": [2]}, positions)) == lag


FULL = (PAGE_DEALS, "hubspot", "900")


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        pytest.param([(0, None, None, 0)], [0], id="no deals"),
        pytest.param([(3, "a", "3", 0), (3, "a", "3", 0)], [0, 0], id="all balance"),
        pytest.param([(3, "a", "3", 2), (3, "a", "3", 0)], [2, 0], id="mended by the next walk"),
        pytest.param([(*FULL, 1), (3, "z", "3", 2), (*FULL, 0), (3, "z", "3", 0)], [1, 3, 3, 0], id="over two pages"),
        pytest.param([(*FULL, 0), (*FULL, 0), (3, "z", "3", 1)], [0, 0, 1], id="on the last page"),
    ],
)
def test_a_deal_that_does_not_balance_is_told_at_once_and_until_a_whole_walk_finds_none(pages, told):
    walk, seen = Walk(), []
    for page in pages:
        walk = walk.step(*page)
        seen.append(walk.unbalanced)
    assert seen == told


def test_a_walk_goes_on_behind_a_full_page_and_begins_anew_behind_the_last():
    walk = Walk().step(*FULL, 0)
    assert (walk.provider, walk.deal_id) == ("hubspot", "900")
    assert walk.step(1, "z", "1", 0) == Walk()


LOOK = Look(
    at=NOON,
    lag_records={("identity", "events"): 7, ("identity", "deals"): 0, ("attributor", "deals"): 2},
    lag_seconds={"identity": 30.0, "attributor": 0.0},
    notes={"attributor": Notes(5, 1, 61.5)},
    letters={"identity": 3, "a group of another program": 9},
    consumers={"identity": 2},
    unbalanced_deals=1,
    database_bytes=10_000_000,
)


def samples(look):
    return {
        (sample.name.removeprefix("closedloop_"), *sample.labels.values()): sample.value
        for family in families_of(look)
        for sample in family.samples
    }


def test_every_group_has_every_figure_and_nobody_else_has_any():
    assert samples(LOOK) == {
        ("lag_records", "identity", "events"): 7,
        ("lag_records", "identity", "deals"): 0,
        ("lag_records", "attributor", "deals"): 2,
        ("lag_seconds", "identity"): 30,
        ("lag_seconds", "attributor"): 0,
        ("notes", "identity"): 0,
        ("notes", "attributor"): 5,
        ("notes_failing", "identity"): 0,
        ("notes_failing", "attributor"): 1,
        ("notes_oldest_seconds", "identity"): 0,
        ("notes_oldest_seconds", "attributor"): 61.5,
        ("dead_letters_kept", "identity"): 3,
        ("dead_letters_kept", "attributor"): 0,
        ("consumers", "identity"): 2,
        ("consumers", "attributor"): 0,
        ("ledger_unbalanced_deals",): 1,
        ("database_size_bytes",): 10_000_000,
        ("watched_timestamp_seconds",): NOON.timestamp(),
    }


def test_without_a_look_no_old_figure_is_told():
    assert samples(None) == {}
