"""The log in Apache Kafka, for sites that outgrow one machine.

Plain `acks=all`, no groups, no idempotence: our state depends on no order and no repetition, so they would buy nothing,
and they bring most of aiokafka's known traps (sequence gaps that last, batches that never expire, rebalances). Instead
every wait has a deadline, and a client that makes no progress is replaced by a new one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import TOPICS
from services.runtime.appending import Appender, NotSent, Records, Room
from services.runtime.kafka_client import Client
from services.runtime.kafka_cluster import Cluster, client_options, find_cluster, refused_or_away
from services.runtime.kafka_topics import check_topics
from services.runtime.leases import Place
from services.runtime.log import APPEND_SECONDS_AT_MOST, Record, by_partition
from services.runtime.logs import describe
from services.runtime.settings import Settings

QUEUE_BYTES = 32 * 1024 * 1024
BATCH_BYTES = 256 * 1024
"""Of one produce batch, before zstd; far below Kafka's limit for one (`message.max.bytes`, 1 MiB)."""

FETCH_BYTES = 256 * 1024
FETCH_WAIT_MILLISECONDS = 50
"""How long a broker holds a fetch that finds nothing; short, for it holds up the partitions that are not in it."""

UNPACKED_RECORDS = 100

LOOK_SECONDS = 4.0
ARRIVE_SECONDS = 5.0
"""What is known to be there arrives within this time, or the client is stuck."""

PUBLISH_SECONDS = 15.0
"""Longer than the client's own attempts: what is cut off in the middle leaves a task behind."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_kafka_log(
    settings: Settings, append_seconds: float = APPEND_SECONDS_AT_MOST
) -> AsyncIterator["KafkaLog"]:
    """The log in the cluster of the settings; waits while that is away.

    Raises StartError when it has no topics yet, SettingsError when it refuses us.
    """
    cluster = await find_cluster(settings)
    check_topics(settings, cluster)
    log = KafkaLog(settings, cluster, append_seconds)
    try:
        yield log
    finally:
        await log.close()


class KafkaLog:
    """See `services.runtime.log.Log` for the contract."""

    def __init__(self, settings: Settings, cluster: Cluster, append_seconds: float) -> None:
        self.log_id = cluster.log_id
        self._prefix = settings.kafka_prefix
        self._partitions = {topic.name: topic.partitions for topic in TOPICS}
        self._append_seconds = append_seconds
        self._producer: Client[AIOKafkaProducer] = Client(
            "producer",
            lambda: AIOKafkaProducer(
                **client_options(settings) | {"request_timeout_ms": int(append_seconds * 1000)},
                acks="all",
                enable_idempotence=False,
                compression_type="zstd",
                max_batch_size=BATCH_BYTES,
            ),
        )
        every = [TopicPartition(self._prefix + topic.name, n) for topic in TOPICS for n in range(topic.partitions)]
        self._consumer: Client[_Fetching] = Client("consumer", lambda: _Fetching(client_options(settings), every))
        self._publishers: dict[str, Client[_Fetching]] = {}
        self._make_publisher = lambda group: _Fetching(
            {**client_options(settings), "group_id": self._prefix + group}, every
        )
        self._unpublished: set[str] = set()
        room = Room(QUEUE_BYTES)
        self._appenders = {
            (topic.name, n): Appender(topic.name, room, append_seconds, partial(self._store, topic.name, n))
            for topic in TOPICS
            for n in range(topic.partitions)
        }
        self._ends = {topic.name: _Ends() for topic in TOPICS}

    async def append(self, topic: str, records: Records) -> None:
        parts = by_partition(records, self._partitions[topic])
        appends = [self._appenders[topic, n].append(part) for n, part in parts.items()]
        if len(appends) == 1:
            await appends[0]
        else:
            for outcome in await asyncio.gather(*appends, return_exceptions=True):
                if outcome is not None:
                    raise outcome

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

    async def publish(self, group: str, positions: Mapping[Place, int]) -> None:
        """Commits the positions to a Kafka group that nobody joins, where lag exporters and KEDA look for them."""
        publisher = self._publishers.setdefault(group, Client("publisher", partial(self._make_publisher, group)))
        committed = {TopicPartition(self._prefix + p.topic, p.partition): offset for p, offset in positions.items()}
        client = None
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                client = await publisher.get()
                await client.consumer.commit(committed)
        except Exception as error:  # noqa: BLE001 - only lag tools look at it; the next time it may work
            if group not in self._unpublished:
                logger.warning("positions not published to Kafka's group: %s", describe(error), extra={"group": group})
            self._unpublished.add(group)
            if client is not None and isinstance(error, TimeoutError):
                publisher.discard(client, "stuck")
        else:
            self._unpublished.discard(group)

    async def close(self) -> None:
        await asyncio.gather(*(appender.close() for appender in self._appenders.values()))
        await asyncio.gather(
            *(client.close() for client in (self._producer, self._consumer, *self._publishers.values()))
        )

    async def _store(self, topic: str, partition: int, records: Records) -> None:
        """In as many batches as it takes, one after the other."""
        try:
            producer = await self._producer.get()
        except OSError as error:
            raise NotSent(describe(error)) from error
        try:
            async with asyncio.timeout(2 * self._append_seconds + 1):  # aiokafka gives up a batch before
                for batch in _batches(producer, records):
                    durable = await producer.send_batch(batch, self._prefix + topic, partition=partition)
                    await durable
        except TimeoutError:
            self._producer.discard(producer, "stuck")
            raise
        except KafkaError as error:
            if not error.retriable:  # it ran out of retries by itself otherwise, and goes on well
                self._producer.discard(producer, "failed")
            raise

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
        places = [TopicPartition(self._prefix + topic, n) for n in range(self._partitions[topic])]
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await consumer.consumer.end_offsets(places)
        except TimeoutError:
            self._consumer.discard(consumer, "stuck")
            raise
        return [found[place] for place in places]


class _Ends:
    """The ends of one topic, as last seen; None when the last look failed."""

    def __init__(self) -> None:
        self.seen: list[int] | None = None
        self.looked_at = float("-inf")
        self.looking = asyncio.Lock()


class _Fetching:
    """A consumer client with all partitions assigned, and those paused that nobody asks for."""

    def __init__(self, options: Mapping[str, Any], places: list[TopicPartition]) -> None:
        self.consumer = AIOKafkaConsumer(
            **options,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        self._places = places
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


def _batches(producer: AIOKafkaProducer, records: Records) -> Iterator[Any]:
    """The records as produce batches, each as full as it may be."""
    batch = producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    yield batch
