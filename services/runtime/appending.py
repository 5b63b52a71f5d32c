"""Group commit: while one group of appends is made durable the next one gathers, and nobody waits beyond a deadline."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from services.runtime.log import Unavailable
from services.runtime.logs import describe
from services.runtime.metrics import APPEND_SECONDS, APPENDED, UNAVAILABLE

GROUP_BYTES = 1024 * 1024
GROUP_RECORDS = 2_000
RETRY_SECONDS = 0.2
KNOWN_AWAY_SECONDS = 1.0
"""Enough for an append that comes just before the end of an outage; the others had better hear of it soon."""

logger = logging.getLogger(__name__)

Records = Sequence[tuple[bytes, bytes]]
Store = Callable[[Records], Awaitable[None]]
"""Makes (key, value) records durable, all of them. Raises NotSent when surely none of them is stored."""


class NotSent(Exception):
    """Nothing of the group has left this process, or nothing of it was kept: trying again doubles nothing."""


class Room:
    """The bytes that may wait in memory, for all appenders that share it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0


@dataclass(slots=True, eq=False)
class _Append:
    """One call that waits for its records to be durable. Its future is cancelled when the caller no longer waits."""

    records: Records
    size: int
    durable: asyncio.Future[None]


class Appender:
    """One task that stores the appends of one topic or partition, group by group, in the order in which they came."""

    def __init__(self, topic: str, room: Room, seconds: float, store: Store) -> None:
        self._topic = topic
        self._room = room
        self._seconds = seconds
        self._store = store
        self._queue: deque[_Append] = deque()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._trouble = ""
        """What is wrong just now, as it was logged: once, not for each group of an outage."""
        self._trouble_since = 0.0

    async def append(self, records: Records) -> None:
        """As `Log.append`: returns when they are durable, raises Unavailable at the deadline or for want of room."""
        size = sum(len(key) + len(value) for key, value in records)
        if self._closed:
            raise Unavailable("the log is closing")
        if self._room.used + size > self._room.size:
            UNAVAILABLE.labels(self._topic, "full").inc()
            raise Unavailable("too many appends wait to be stored")
        waiting = _Append(records, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._room.used += size
        self._filled.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        seconds = self._patience()
        try:
            async with asyncio.timeout(seconds):
                await waiting.durable
        except TimeoutError:
            UNAVAILABLE.labels(self._topic, "late").inc()
            raise Unavailable(f"not durable after {seconds:g} s") from None
        finally:
            self._room.used -= size
            waiting.records = ()  # who no longer waits takes no room, though the queue still has the place

    async def close(self) -> None:
        """Refuses what comes, and gives up what waits; the group under way may have been stored or not."""
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
                await self._store_group(group)

    def _next_group(self) -> list[_Append]:
        """The oldest appends whose callers still wait, up to a group's size."""
        group: list[_Append] = []
        records = size = 0
        while self._queue and (not group or (records < GROUP_RECORDS and size < GROUP_BYTES)):
            append = self._queue.popleft()
            if not append.durable.done():
                group.append(append)
                records += len(append.records)
                size += append.size
        if not self._queue:
            self._filled.clear()
        return group

    async def _store_group(self, group: list[_Append]) -> None:
        """Store the group, or tell its callers that it may not be. Only what is surely not stored is tried again."""
        while group:
            records = [record for append in group for record in append.records]
            try:
                with APPEND_SECONDS.labels(self._topic).time():
                    await self._store(records)
            except asyncio.CancelledError:
                self._fail(group, "the log is closing")
                raise
            except NotSent as error:
                self._tell(f"append waits: {error}")
                await asyncio.sleep(RETRY_SECONDS)
                group = [append for append in group if not append.durable.done()]
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it, and the task goes on
                self._tell(f"append failed: {describe(error)}")
                self._fail(group, describe(error))
                return
            else:
                self._tell("")
                APPENDED.labels(self._topic).inc(len(records))
                self._succeed(group)
                return

    def _patience(self) -> float:
        """The deadline; a short one where nothing was stored for longer than the whole: it is known to be away."""
        if self._trouble and time.monotonic() - self._trouble_since > self._seconds:
            return min(self._seconds, KNOWN_AWAY_SECONDS)
        return self._seconds

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            self._trouble_since = time.monotonic()
        if trouble and trouble != self._trouble:
            logger.warning(trouble, extra={"topic": self._topic})
        elif self._trouble and not trouble:
            logger.info("appending again", extra={"topic": self._topic})
        self._trouble = trouble

    def _succeed(self, group: Sequence[_Append]) -> None:
        for append in group:
            if not append.durable.done():
                append.durable.set_result(None)

    def _fail(self, group: Iterable[_Append], reason: str) -> None:
        for append in group:
            if not append.durable.done():
                UNAVAILABLE.labels(self._topic, "failed").inc()
                append.durable.set_exception(Unavailable(reason))
