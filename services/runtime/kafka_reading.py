"""Reading the log in Kafka: one client for all partitions, which is told where to go on by whoever asks."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.kafka_client import Client
from services.runtime.kafka_cluster import refused_or_away
from services.runtime.log import Record

FETCH_BYTES = 256 * 1024
FETCH_WAIT_MILLISECONDS = 50
"""How long a broker holds a fetch that finds nothing; short, for it holds up the partitions that are not in it."""

UNPACKED_RECORDS = 100

LOOK_SECONDS = 4.0
ARRIVE_SECONDS = 5.0
"""What is known to be there arrives within this time, or the client is stuck."""


class KafkaReader:
    """`read` and `ends` of `services.runtime.log.Log`, for the topics of this prefix and so many partitions each."""

    def __init__(self, prefix: str, partitions: Mapping[str, int], options: Mapping[str, Any]) -> None:
        self._prefix = prefix
        self._partitions = partitions
        every = places(prefix, partitions)
        self._consumer: Client[Fetching] = Client("consumer", lambda: Fetching(options, every))
        self._ends = {topic: _Ends() for topic in partitions}

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        place = TopicPartition(self._prefix + topic, partition)
        consumer = await self._consumer.get()
        with refused_or_away():
            began = asyncio.get_running_loop().time()
            records = await consumer.take(place, offset, max_bytes, wait)
            if not records and (await self._ends_since(topic, began))[partition] > offset:
                records = await consumer.take(place, offset, max_bytes, ARRIVE_SECONDS)
            elif not records:
                return []
        if not records or records[0].offset != offset:  # never skip anything: a new client begins at the right place
            self._consumer.discard(consumer, "stuck")
            what = f"{records[0].offset} comes" if records else "nothing comes"
            raise ConnectionError(f"Kafka: {what} from {place.topic}[{partition}] at {offset}, though it is there")
        return records

    async def ends(self, topic: str) -> list[int]:
        with refused_or_away():
            return await self._ends_since(topic, asyncio.get_running_loop().time())

    async def close(self) -> None:
        await self._consumer.close()

    async def _ends_since(self, topic: str, since: float) -> list[int]:
        """The ends of a topic, as they were at the time `since` or later; one look serves all who ask."""
        ends = self._ends[topic]
        async with ends.looking:
            if ends.looked_at < since:
                looked_at = asyncio.get_running_loop().time()
                try:
                    ends.seen = await self._look(topic)
                except Exception:
                    ends.looked_at, ends.seen = looked_at, None
                    raise
                ends.looked_at = looked_at
            if ends.seen is None:
                raise ConnectionError("Kafka does not answer")
            return list(ends.seen)

    async def _look(self, topic: str) -> list[int]:
        """Ask Kafka. A client without an answer would ask the same silent broker for ever; a new one does not."""
        consumer = await self._consumer.get()
        asked = places(self._prefix, {topic: self._partitions[topic]})
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await consumer.consumer.end_offsets(asked)
        except TimeoutError:
            self._consumer.discard(consumer, "stuck")
            raise
        return [found[place] for place in asked]


class _Ends:
    """The ends of one topic, as last seen; None when the last look failed."""

    def __init__(self) -> None:
        self.seen: list[int] | None = None
        self.looked_at = float("-inf")
        self.looking = asyncio.Lock()


class Fetching:
    """A consumer client with all partitions assigned, and those paused that nobody asks for."""

    def __init__(self, options: Mapping[str, Any], every: list[TopicPartition]) -> None:
        self.consumer = AIOKafkaConsumer(
            **options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        self._places = every
        self._next: dict[TopicPartition, int] = {}
        self._arrived: dict[TopicPartition, deque[Record]] = {}

    async def start(self) -> None:
        await self.consumer.start()
        self.consumer.assign(self._places)
        self.consumer.pause(*self._places)
        for place in self._places:
            self.consumer.seek(place, 0)  # a client without a position asks for one, and would be given an error

    async def stop(self) -> None:
        await self.consumer.stop()

    async def take(self, place: TopicPartition, offset: int, max_bytes: int, wait: float) -> list[Record]:
        """The next records that have arrived, or arrive within `wait` seconds; about `max_bytes`, but at least one."""
        arrived = self._arrived.setdefault(place, deque())
        if not arrived or arrived[0].offset != offset:
            arrived.clear()
            if self._next.get(place) != offset:
                self.consumer.seek(place, offset)
                self._next[place] = offset
                self.consumer.resume(place)
            size, milliseconds = 0, int(wait * 1000)
            while size < max_bytes and (found := await self._next_few(place, milliseconds)):
                arrived.extend(found)
                self._next[place] = found[-1].offset + 1
                size += sum(len(record.value) for record in found)
                milliseconds = 0
        return list(_about(max_bytes, arrived))

    async def _next_few(self, place: TopicPartition, milliseconds: int) -> list[Record]:
        """A few at a time: what has arrived is compressed, and may be a hundred times as large when it is not."""
        found = await self.consumer.getmany(place, timeout_ms=milliseconds, max_records=UNPACKED_RECORDS)
        return [Record(each.offset, each.key or b"", each.value or b"") for each in chain.from_iterable(found.values())]


def _about(size: int, arrived: deque[Record]) -> Iterator[Record]:
    """Takes records from the left until they are `size` bytes."""
    while arrived and size > 0:
        record = arrived.popleft()
        size -= len(record.key) + len(record.value)
        yield record


def places(prefix: str, partitions: Mapping[str, int]) -> list[TopicPartition]:
    """Every partition of these topics, as Kafka names them."""
    return [TopicPartition(prefix + topic, n) for topic, count in partitions.items() for n in range(count)]
