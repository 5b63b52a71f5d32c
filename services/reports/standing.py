"""Whether the state has caught up with the log."""

from collections.abc import Mapping
from dataclasses import asdict

from schemas.topics import READERS, TOPICS
from services.reports.answers import Status
from services.reports.store import Store
from services.runtime.log import Log


async def status_of(store: Store, log: Log) -> Status:
    """The ends of the log first, the readers after it: `settled` then speaks of all that was logged before the call."""
    ends = {topic.name: await log.ends(topic.name) for topic in TOPICS}
    backlog = await store.backlog(log.log_id)
    lag = lag_of(ends, backlog.positions)
    notes = {group: backlog.notes.get(group, 0) for group in READERS}
    return Status(
        settled=not any(lag.values()) and not any(notes.values()),
        lag=lag,
        notes=notes,
        dead_letters=backlog.dead_letters,
        events=sum(sum(partitions) for partitions in ends.values()),
        rules=asdict(await store.rules()),
    )


def lag_of(ends: Mapping[str, list[int]], positions: Mapping[tuple[str, str, int], int]) -> dict[str, int]:
    """Records that each group has still to read.

    `ends` are the next offsets by topic and partition, `positions` the next ones to read by group, topic and partition;
    a group that has not begun a partition stands at 0.
    """
    return {
        group: sum(
            max(0, end - positions.get((group, topic.name, partition), 0))
            for topic in topics
            for partition, end in enumerate(ends[topic.name])
        )
        for group, topics in READERS.items()
    }
