"""The log in Apache Kafka, for sites that outgrow one machine.

Plain `acks=all`, no groups, no idempotence: our state depends on no order and no repetition, so they would buy nothing,
and they bring most of aiokafka's known traps (sequence gaps that last, batches that never expire, rebalances). Instead
every wait has a deadline, and a client that makes no progress is replaced by a new one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import TOPICS
from services.runtime.appending import Appender, NotSent, Records, Room
from services.runtime.kafka_client import Client
from services.runtime.kafka_cluster import Cluster, client_options, find_cluster
from services.runtime.kafka_reading import Fetching, KafkaReader, places
from services.runtime.kafka_topics import check_topics
from services.runtime.leases import Place
from services.runtime.log import APPEND_SECONDS_AT_MOST, Record, by_partition
from services.runtime.logs import describe
from services.runtime.settings import Settings

QUEUE_BYTES = 32 * 1024 * 1024
BATCH_BYTES = 256 * 1024
"""Of one produce batch, before zstd; far below Kafka's limit for one (`message.max.bytes`, 1 MiB)."""

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
        self._reader = KafkaReader(self._prefix, self._partitions, client_options(settings))
        every = places(self._prefix, self._partitions)
        self._publishers: dict[str, Client[Fetching]] = {}
        self._make_publisher = lambda group: Fetching(
            {**client_options(settings), "group_id": self._prefix + group}, every
        )
        self._unpublished: set[str] = set()
        room = Room(QUEUE_BYTES)
        self._appenders = {
            (topic, n): Appender(topic, room, append_seconds, partial(self._store, topic, n))
            for topic, count in self._partitions.items()
            for n in range(count)
        }

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
        return await self._reader.read(topic, partition, offset, max_bytes, wait)

    async def ends(self, topic: str) -> list[int]:
        return await self._reader.ends(topic)

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
            self._reader.close(), *(client.close() for client in (self._producer, *self._publishers.values()))
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


def _batches(producer: AIOKafkaProducer, records: Records) -> Iterator[Any]:
    """The records as produce batches, each as full as it may be."""
    batch = producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    yield batch
