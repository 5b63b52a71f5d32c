"""The log in Postgres, for one machine: append-only batches, whose offsets are taken in the statement that writes them.

A batch is the records of one group of appends in one partition. Locks on `log.heads` last until the commit, so batches
become visible in the order of their offsets; a sequence would commit out of order, and a reader that follows would skip
a record for ever.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from services.runtime.appending import Appender, NotSent, Records, Room
from services.runtime.framing import frame, unframe
from services.runtime.leases import Place
from services.runtime.log import APPEND_SECONDS_AT_MOST, Record, by_partition
from services.runtime.logs import describe
from services.runtime.postgres import Database, UndefinedTableError, connect, is_conflict, load_queries
from services.runtime.settings import StartError

QUEUE_BYTES = 32 * 1024 * 1024
BUSY_POLL_SECONDS = 0.025
IDLE_POLL_SECONDS = 0.1

queries = load_queries(__package__)


@asynccontextmanager
async def open_embedded_log(dsn: str, append_seconds: float = APPEND_SECONDS_AT_MOST) -> AsyncIterator["EmbeddedLog"]:
    """The log in the Postgres of `dsn`; waits while that is away. Raises StartError when it has no log yet."""
    async with connect(dsn, application="log", size=2, statement_seconds=append_seconds) as database:
        try:
            log_id = await database.fetchval(queries.log_id)
            topics = {row["topic"]: row["partitions"] for row in await database.fetch(queries.partitions)}
        except UndefinedTableError as error:
            raise StartError("the database has no tables yet; run `closedloop migrate`") from error
        log = EmbeddedLog(database, log_id, topics, append_seconds)
        try:
            yield log
        finally:
            await log.close()


class EmbeddedLog:
    """See `services.runtime.log.Log` for the contract."""

    def __init__(self, database: Database, log_id: UUID, topics: dict[str, int], append_seconds: float) -> None:
        self.log_id = log_id
        self._database = database
        self._partitions = topics
        self._tails = {topic: _Tail(database, topic, partitions) for topic, partitions in topics.items()}
        self._appenders = {
            topic: Appender(topic, Room(QUEUE_BYTES), append_seconds, partial(self._store, topic)) for topic in topics
        }

    async def append(self, topic: str, records: Records) -> None:
        if records:
            await self._appenders[topic].append(records)

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        if not await self._tails[topic].reaches(partition, offset, wait):
            return []
        rows = await self._database.fetch(queries.read, topic, partition, offset, max_bytes)
        return [
            record for row in rows for record in unframe(row["records"], row["first_offset"]) if record[0] >= offset
        ]

    async def ends(self, topic: str) -> list[int]:
        return [row["next_offset"] for row in await self._database.fetch(queries.ends, topic)]

    async def publish(self, group: str, positions: Mapping[Place, int]) -> None:
        """Nothing to do: the positions are in the same database."""

    async def close(self) -> None:
        for appender in self._appenders.values():
            await appender.close()

    async def _store(self, topic: str, records: Records) -> None:
        """One statement. A statement that was sent and failed may have been committed, unless it was a conflict."""
        batches = sorted(by_partition(records, self._partitions[topic]).items())
        parts = [p for p, _ in batches]
        counts = [len(part) for _, part in batches]
        framed = [frame(part) for _, part in batches]
        sent = False
        try:
            async with self._database.connection() as connection:
                sent = True
                await connection.execute(queries.append, topic, parts, counts, framed)
        except Exception as error:
            if sent and not is_conflict(error):
                raise
            raise NotSent(describe(error)) from error


class _Tail:
    """The ends of one topic, as last seen, for all readers of this process: one look serves all who wait."""

    def __init__(self, database: Database, topic: str, partitions: int) -> None:
        self._database = database
        self._topic = topic
        self._ends = [0] * partitions
        self._seen_at = -math.inf
        self._pause = BUSY_POLL_SECONDS
        self._looking = asyncio.Lock()

    async def reaches(self, partition: int, offset: int, wait: float) -> bool:
        """Whether there is a record at `offset`, now or within `wait` seconds."""
        now = asyncio.get_running_loop().time
        since = now()
        until = since + wait
        while self._ends[partition] <= offset:
            async with self._looking:
                if self._seen_at < since:
                    await self._look(since)
            if self._ends[partition] > offset:
                break
            since = min(self._seen_at + self._pause, until)
            if now() >= until:
                return False
            await asyncio.sleep(since - now())
        return True

    async def _look(self, at: float) -> None:
        """Ask Postgres; what it answers was true at the time `at` or later."""
        begun = max(at, asyncio.get_running_loop().time())
        ends = [row["next_offset"] for row in await self._database.fetch(queries.ends, self._topic)]
        self._pause = BUSY_POLL_SECONDS if ends != self._ends else min(self._pause * 1.25, IDLE_POLL_SECONDS)
        self._ends, self._seen_at = ends, begun
