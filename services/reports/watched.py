"""What a look of the watcher saw, and the figures that Prometheus is told of it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from schemas.topics import READERS


class Notes(NamedTuple):
    """The notes of one group."""

    waiting: int
    failing: int
    oldest_seconds: float


class Look(NamedTuple):
    """What was seen at one time. A group without notes, letters or consumers stands in none of these."""

    at: datetime
    lag_records: Mapping[tuple[str, str], int]
    """By group and topic."""
    lag_seconds: Mapping[str, float]
    notes: Mapping[str, Notes]
    letters: Mapping[str, int]
    consumers: Mapping[str, int]
    unbalanced_deals: int
    database_bytes: int


class Figure(NamedTuple):
    """One gauge: what it is called, what it says and asks for, and its values by label."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    values: Callable[[Look], Mapping[Any, float]]


NO_NOTES = Notes(0, 0, 0.0)


def by_group(value: Callable[[Look, str], float]) -> Callable[[Look], Mapping[Any, float]]:
    """A value for each group of the code, and for no other."""
    return lambda look: {(group,): value(look, group) for group in READERS}


FIGURES = (
    Figure(
        "closedloop_lag_records",
        "Records that a group has still to read, told from outside of its consumers. Rising for long: start more of "
        "them, up to one a partition, or look why they are slow (closedloop_batch_seconds).",
        ("group", "topic"),
        lambda look: look.lag_records,
    ),
    Figure(
        "closedloop_lag_seconds",
        "Age of the oldest record that a group has not read; 0 when it has read all. So late are the reports. Above "
        "300: see whether its consumers live, and what their logs and /readyz say.",
        ("group",),
        by_group(lambda look, group: look.lag_seconds[group]),
    ),
    Figure(
        "closedloop_notes",
        "Things that a group has to look at again because something else changed. Thousands after an import are normal "
        "and go down by themselves; rising for long: read the log of the group's service.",
        ("group",),
        by_group(lambda look, group: look.notes.get(group, NO_NOTES).waiting),
    ),
    Figure(
        "closedloop_notes_failing",
        "Notes that failed alone and wait to be tried again. Above 0: the log of the group's service has the error; "
        "what they concern is out of date until it is mended.",
        ("group",),
        by_group(lambda look, group: look.notes.get(group, NO_NOTES).failing),
    ),
    Figure(
        "closedloop_notes_oldest_seconds",
        "How long the oldest note waits. So late is what follows from it, such as credits after a merge of leads. "
        "Above 600: read the log of the group's service.",
        ("group",),
        by_group(lambda look, group: look.notes.get(group, NO_NOTES).oldest_seconds),
    ),
    Figure(
        "closedloop_dead_letters_kept",
        "Records put aside, and not retried with success yet: `closedloop deadletters list` shows them, `closedloop "
        "deadletters retry` takes them in after a fix.",
        ("group",),
        by_group(lambda look, group: look.letters.get(group, 0)),
    ),
    Figure(
        "closedloop_consumers",
        "Consumers of a group that are alive by their lease. 0: nobody reads and the lag grows; start the service.",
        ("group",),
        by_group(lambda look, group: look.consumers.get(group, 0)),
    ),
    Figure(
        "closedloop_ledger_unbalanced_deals",
        "Won deals whose credits are missing or do not sum to the deal's amount, and other deals that have credits. "
        "Must be 0; the log of reports names them. All deals are checked in turns, 1,000 every 15 s.",
        (),
        lambda look: {(): look.unbalanced_deals},
    ),
    Figure(
        "closedloop_database_size_bytes",
        "What the database takes on the disk. Compare it with the room that is left: events are kept for ever.",
        (),
        lambda look: {(): look.database_bytes},
    ),
    Figure(
        "closedloop_watched_timestamp_seconds",
        "When the reports service last looked at the log and the consumers. Absent or old: it cannot reach Postgres or "
        "Kafka, and nobody tells the lag; its log says why.",
        (),
        lambda look: {(): look.at.timestamp()},
    ),
)


def families_of(look: Look | None) -> Iterator[Metric]:
    """The figures of a look; without one their names and meanings alone."""
    for figure in FIGURES:
        family = GaugeMetricFamily(figure.name, figure.meaning, labels=figure.labels)
        for key, value in figure.values(look).items() if look is not None else ():
            family.add_metric(key, value)
        yield family
