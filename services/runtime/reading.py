"""Reading ahead in the partitions that a consumer holds, and batches that are fair to all of them."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.codec import UndecodableError, decode
from services.runtime.leases import Place
from services.runtime.log import Log, Record

BATCH_BYTES = 2 * 1024 * 1024
READ_BYTES = 256 * 1024
READ_WAIT_SECONDS = 1.0


class Taken(NamedTuple):
    """A record of a batch, and where it is from."""

    place: Place
    record: Record


def received_at(record: Record) -> datetime | None:
    """When the collector took in the event of a record; None when it cannot be read."""
    try:
        return decode(record.value)[0].received_at
    except UndecodableError:
        return None


class _Partition:
    """One held partition. `position` is the first offset not handled yet; `ahead` was read, but not taken yet."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.ahead: deque[Record] = deque()
        self.read_to = position
        self.reading: asyncio.Task[list[Record]] | None = None


class Reader:
    """Reads while the batch before is handled; about READ_BYTES of each partition are in memory."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._partitions: dict[Place, _Partition] = {}

    @property
    def places(self) -> Collection[Place]:
        return self._partitions.keys()

    def position(self, place: Place) -> int:
        """The first offset that is not handled yet."""
        return self._partitions[place].position

    def move(self, place: Place, position: int) -> None:
        """All before `position` is handled."""
        self._partitions[place].position = position

    async def hold(self, positions: Mapping[Place, int]) -> None:
        """From now on read these partitions, from these positions. Not while a batch is under way."""
        moved = [place for place, held in self._partitions.items() if positions.get(place) != held.position]
        await self._drop(moved)
        for place, position in positions.items():
            self._partitions.setdefault(place, _Partition(position))

    async def forget(self) -> None:
        """Hold nothing; what was read ahead is dropped."""
        await self._drop(list(self._partitions))

    def waiting(self) -> list[Record]:
        """Of each partition the record that is next, where it has been read already."""
        return [held.ahead[0] for held in self._partitions.values() if held.ahead]

    async def next_batch(self, records: int, wait: float) -> list[Taken]:
        """At most `records` records, and about BATCH_BYTES; none when there are none within `wait` seconds.

        Raises what the log raised when it could not be read.
        """
        self._read_ahead()
        if not any(held.ahead for held in self._partitions.values()):
            await self._first_read(wait)
        for held in self._partitions.values():
            if held.reading is not None and held.reading.done():
                reading, held.reading = held.reading, None
                held.ahead.extend(reading.result())
                held.read_to = held.ahead[-1].offset + 1 if held.ahead else held.read_to
        batch = self._take(records)
        self._read_ahead()
        return batch

    def _read_ahead(self) -> None:
        for place, held in self._partitions.items():
            if not held.ahead and held.reading is None:
                read = self._log.read(place.topic, place.partition, held.read_to, READ_BYTES, READ_WAIT_SECONDS)
                held.reading = asyncio.create_task(read)

    async def _first_read(self, wait: float) -> None:
        reads = [held.reading for held in self._partitions.values() if held.reading is not None]
        if reads:
            await asyncio.wait(reads, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(wait)

    def _take(self, records: int) -> list[Taken]:
        """The partitions with the least to give come first; what they leave of their part goes to the others."""
        full = sorted((len(held.ahead), place) for place, held in self._partitions.items() if held.ahead)
        batch: list[Taken] = []
        size = 0
        for index, (_, place) in enumerate(full):
            ahead, parts = self._partitions[place].ahead, len(full) - index
            records_end = len(batch) + max(1, (records - len(batch)) // parts)
            size_end = size + (BATCH_BYTES - size) // parts
            while ahead and len(batch) < records_end and size < size_end:
                record = ahead.popleft()
                batch.append(Taken(place, record))
                size += len(record.value)
        return batch

    async def _drop(self, places: Collection[Place]) -> None:
        reads = [held.reading for held in map(self._partitions.pop, places) if held.reading is not None]
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
