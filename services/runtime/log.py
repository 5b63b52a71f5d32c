"""The log: ordered, durable, kept for ever. A port; which adapter serves it is a setting, see `open_log`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID
from zlib import crc32

from services.runtime.leases import Place

APPEND_SECONDS_AT_MOST = 5.0
"""The deadline of an append: senders that wait longer give up themselves. In a long outage it is shorter."""


class Record(NamedTuple):
    """One record of a partition. Offsets count from 0 without a gap."""

    offset: int
    key: bytes
    value: bytes


class Unavailable(Exception):
    """The log did not make the records durable in time. Whether it stored them is unknown; the message says why."""


class Intake(Protocol):
    """What who appends needs of a log."""

    async def append(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Returns when all (key, value) are durable. Raises Unavailable at a deadline: then that is unknown.

        Records of one call and one partition stay in their order. Where an adapter's answer was lost on the way and it
        sends again, a record can stand in the log twice: who reads must not mind.
        """

    async def ends(self, topic: str) -> list[int]:
        """The next offset of each partition: that of the record which will be appended next.

        Raises OSError or a database's error when the log cannot be reached.
        """


class Log(Intake, Protocol):
    """Records that share a key share a partition, and are read in the order in which they were appended."""

    log_id: UUID
    """Names this log; a position is only good for the log it was taken in."""

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        """The next records from `offset` on: about `max_bytes` of them, but at least one.

        One reader a partition: a second one, at another offset, opens a log of its own.
        Without any it waits for up to `wait` seconds, then returns an empty list. Raises OSError or a database's error
        when the log cannot be reached, and StartError when it no longer holds what stood at `offset`.
        """

    async def publish(self, group: str, positions: Mapping[Place, int]) -> None:
        """Tell the log's own tools how far a group is. A hint: nothing of ours reads it, and it raises nothing."""

    async def close(self) -> None:
        """Ends everything under way, within seconds; appends that wait raise Unavailable."""


def by_partition(records: Sequence[tuple[bytes, bytes]], partitions: int) -> Mapping[int, list[tuple[bytes, bytes]]]:
    """The records of each partition, in their order. The CRC-32 of a key decides, in every adapter."""
    parts: defaultdict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    for record in records:
        parts[crc32(record[0]) % partitions].append(record)
    return parts
