"""The log in Postgres, for one machine: append-only batches, whose offsets are taken in the statement that writes them.

A batch is the records of one group of appends in one partition. Locks on `log.heads` last until the commit, so batches
become visible in the order of their offsets; a sequence would commit out of order, and a reader that follows would skip
a record for ever.
"""

import asyncio
import logging
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

from services.runtime.framing import frame, unframe
from services.runtime.log import Record, Unavailable
from services.runtime.logs import describe
from services.runtime.metrics import APPEND_SECONDS, APPENDED, UNAVAILABLE
from services.runtime.postgres import Database, UndefinedTableError, connect, is_conflict, load_queries
from services.runtime.settings import StartError

APPEND_SECONDS_AT_MOST = 5.0
GROUP_BYTES = 1024 * 1024
GROUP_RECORDS = 2_000
QUEUE_BYTES = 32 * 1024 * 1024
BUSY_POLL_SECONDS = 0.025
IDLE_POLL_SECONDS = 0.1
RETRY_SECONDS = 0.2

queries = load_queries(__package__)
logger = logging.getLogger(__name__)


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
        self._append_seconds = append_seconds
        self._tails = {topic: _Tail(database, topic, partitions) for topic, partitions in topics.items()}
        self._appenders = {topic: _Appender(database, topic, partitions) for topic, partitions in topics.items()}

    async def append(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        if records:
            await self._appenders[topic].append(records, self._append_seconds)

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        if not await self._tails[topic].reaches(partition, offset, wait):
            return []
        rows = await self._database.fetch(queries.read, topic, partition, offset, max_bytes)
        return [
            record for row in rows for record in unframe(row["records"], row["first_offset"]) if record[0] >= offset
        ]

    async def ends(self, topic: str) -> list[int]:
        return [row["next_offset"] for row in await self._database.fetch(queries.ends, topic)]

    async def close(self) -> None:
        for appender in self._appenders.values():
            await appender.close()


@dataclass(slots=True, eq=False)
class _Append:
    """One call that waits for its records to be durable. Its future is cancelled when the caller no longer waits."""

    records: Sequence[tuple[bytes, bytes]]
    size: int
    durable: asyncio.Future[None]


class _Appender:
    """One task that commits the appends of one topic, group by group: while one group commits, the next one gathers."""

    def __init__(self, database: Database, topic: str, partitions: int) -> None:
        self._database = database
        self._topic = topic
        self._partitions = partitions
        self._queue: deque[_Append] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, records: Sequence[tuple[bytes, bytes]], seconds: float) -> None:
        size = sum(len(key) + len(value) for key, value in records)
        if self._closed or self._queued_bytes + size > QUEUE_BYTES:
            UNAVAILABLE.labels(self._topic, "full").inc()
            raise Unavailable("the log is closing" if self._closed else "too many appends wait for the disk")
        waiting = _Append(records, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._queued_bytes += size
        self._filled.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(seconds):
                await waiting.durable
        except TimeoutError:
            UNAVAILABLE.labels(self._topic, "late").inc()
            raise Unavailable(f"not durable after {seconds:g} s") from None

    async def close(self) -> None:
        """Refuses what comes, waits for the group under way for a moment, and gives up the rest."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1)
        self._fail(self._queue, "the log is closing")

    async def _work(self) -> None:
        while True:
            await self._filled.wait()
            group = self._next_group()
            if group:
                await self._commit(group)

    def _next_group(self) -> list[_Append]:
        """The oldest appends whose callers still wait, up to a group's size."""
        group: list[_Append] = []
        records = size = 0
        while self._queue and (not group or (records < GROUP_RECORDS and size < GROUP_BYTES)):
            append = self._queue.popleft()
            self._queued_bytes -= append.size
            if not append.durable.done():
                group.append(append)
                records += len(append.records)
                size += append.size
        if not self._queue:
            self._filled.clear()
        return group

    async def _commit(self, group: list[_Append]) -> None:
        """Store the group, or tell its callers that it may not be. Only what is surely not stored is tried again."""
        while group:
            sent = False
            try:
                async with self._database.connection() as connection:
                    sent = True
                    with APPEND_SECONDS.labels(self._topic).time():
                        await connection.execute(queries.append, self._topic, *self._batches(group))
            except asyncio.CancelledError:
                self._fail(group, "the log is closing")
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it, and the task goes on
                if sent and not is_conflict(error):
                    logger.error("append failed", extra={"topic": self._topic, "error": describe(error)})  # noqa: TRY400
                    self._fail(group, describe(error))
                    return
                logger.warning("append waits", extra={"topic": self._topic, "error": describe(error)})
                await asyncio.sleep(RETRY_SECONDS)
                group = [append for append in group if not append.durable.done()]
            else:
                self._succeed(group)
                return

    def _batches(self, group: Sequence[_Append]) -> tuple[list[int], list[int], list[bytes]]:
        """The partitions of a group, in order; how many records each gets; and these, framed."""
        partitions: defaultdict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        for append in group:
            for record in append.records:
                partitions[crc32(record[0]) % self._partitions].append(record)
        batches = sorted(partitions.items())
        return (
            [p for p, _ in batches],
            [len(records) for _, records in batches],
            [frame(records) for _, records in batches],
        )

    def _succeed(self, group: Sequence[_Append]) -> None:
        APPENDED.labels(self._topic).inc(sum(len(append.records) for append in group))
        for append in group:
            if not append.durable.done():
                append.durable.set_result(None)

    def _fail(self, group: Iterable[_Append], reason: str) -> None:
        for append in group:
            if not append.durable.done():
                UNAVAILABLE.labels(self._topic, "failed").inc()
                append.durable.set_exception(Unavailable(reason))


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
