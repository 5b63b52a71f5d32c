"""Whether the state has caught up with the log."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from schemas.topics import READERS, TOPICS
from services.reports.answers import Status
from services.reports.store import Store
from services.runtime.log import Log


async def status_of(store: Store, logs: Sequence[Log]) -> Status:
    """Over all logs that there are to read. Raises OSError or a database's error when one cannot be reached.

    The ends of the logs come first, the readers after: `settled` then speaks of all that was logged before the call.
    """
    if not logs:
        raise ConnectionError("the log has not answered yet")
    ends = {log.log_id: {topic.name: await log.ends(topic.name) for topic in TOPICS} for log in logs}
    backlog = await store.backlog(list(ends))
    lags = [lag_of(those, backlog.positions.get(log_id, {})) for log_id, those in ends.items()]
    lag = {group: sum(lag[group] for lag in lags) for group in READERS}
    notes = {group: backlog.notes.get(group, 0) for group in READERS}
    return Status(
        settled=not any(lag.values()) and not any(notes.values()),
        lag=lag,
        notes=notes,
        dead_letters=backlog.dead_letters,
        events=sum(sum(partitions) for those in ends.values() for partitions in those.values()),
        rules=asdict(await store.rules()),
    )


class Unread(NamedTuple):
    """Records of one partition that a group has still to read: the first one's offset, and how many."""

    group: str
    topic: str
    partition: int
    offset: int
    records: int


def unread_of(ends: Mapping[str, Sequence[int]], positions: Mapping[tuple[str, str, int], int]) -> Iterator[Unread]:
    """Where each group has something to read in a log.

    `ends` are the next offsets by topic and partition, `positions` the next ones to read by group, topic and partition;
    a group that has not begun a partition stands at 0.
    """
    for group, topics in READERS.items():
        for topic in topics:
            for partition, end in enumerate(ends[topic.name]):
                offset = positions.get((group, topic.name, partition), 0)
                if offset < end:
                    yield Unread(group, topic.name, partition, offset, end - offset)


def lag_of(ends: Mapping[str, Sequence[int]], positions: Mapping[tuple[str, str, int], int]) -> dict[str, int]:
    """Records that each group has still to read in a log; the arguments are those of `unread_of`."""
    lag = dict.fromkeys(READERS, 0)
    for behind in unread_of(ends, positions):
        lag[behind.group] += behind.records
    return lag
