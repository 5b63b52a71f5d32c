"""The product's own consumers on one state, in this process: up to given ends of the logs, until no note is left."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol, TypeVar
from uuid import UUID

from schemas.topics import READERS, TOPICS
from services.local.replay_states import queries
from services.local.retrying import handlers_of
from services.reports.standing import status_of
from services.reports.store import Store
from services.runtime.appending import Records
from services.runtime.consumer import consume
from services.runtime.leases import ALONE, Place
from services.runtime.lifecycle import Service
from services.runtime.log import Log, Record, Unavailable
from services.runtime.logs import describe
from services.runtime.notes import failing_notes
from services.runtime.open_log import open_history
from services.runtime.postgres import Database, connect, is_outage
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, StartError

LOOK_SECONDS = 0.2
AT_THE_END_SECONDS = 0.1
LONG_STATEMENT_SECONDS = 86_400

T = TypeVar("T")

Ends = Mapping[str, Sequence[int]]
"""The next offset of each partition, by topic."""


class Tell(Protocol):
    """Shows how far it is, and what it waits for, if for anything."""

    def __call__(self, done: int, total: int, waiting: str = "") -> None: ...


class Bounded(Log):
    """A log up to given ends; without any, none of it. What is appended later is not seen."""

    def __init__(self, log: Log) -> None:
        self.log_id: UUID = log.log_id
        self.bounds: Ends | None = None
        self._log = log

    async def true_ends(self) -> Ends:
        return {topic.name: await self._log.ends(topic.name) for topic in TOPICS}

    async def ends(self, topic: str) -> list[int]:
        return await self._log.ends(topic) if self.bounds is None else list(self.bounds[topic])

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        end = 0 if self.bounds is None else self.bounds[topic][partition]
        if offset >= end:
            await asyncio.sleep(min(wait, AT_THE_END_SECONDS))
            return []
        records = await self._log.read(topic, partition, offset, max_bytes, wait)
        return [record for record in records if record.offset < end]

    async def append(self, topic: str, records: Records) -> None:  # noqa: ARG002 - nothing of it is used
        raise Unavailable("a replay appends nothing")

    async def publish(self, group: str, positions: Mapping[Place, int]) -> None:
        """The positions in force are told by those who keep them."""

    async def close(self) -> None:
        await self._log.close()


class Reading:
    """Both consumers of one state at work. They want to be alone in it: whoever else reads for it stands still."""

    def __init__(
        self, database: Database, store: Store, logs: Sequence[Sequence[Bounded]], members: Sequence[str]
    ) -> None:
        self.database = database
        """A look into the state, for reading."""
        self._store = store
        self._logs = logs
        self._members = members
        self._services: list[Service] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, service: Service, task: "asyncio.Task[None]") -> None:
        self._services.append(service)
        self._tasks.append(task)

    async def ends(self) -> list[Ends]:
        """Where each log ends now."""
        return [await log.true_ends() for log in self._logs[0]]

    async def hold(self, tell: Tell) -> None:
        """Wait until nobody else is in the middle of a batch: until we hold all partitions of the log appended to."""
        log_id, wanted = self._logs[0][-1].log_id, sum(t.partitions for topics in READERS.values() for t in topics)
        while await self._patiently(self.database.fetchval(queries.held, log_id, self._members), tell) != wanted:
            tell(0, 0, "the services finish what they have begun")
            await asyncio.sleep(LOOK_SECONDS)

    async def reach(self, ends: Sequence[Ends], tell: Tell) -> None:
        """Read the logs up to these ends, and work off all notes but those that fail. Outages are waited out."""
        for logs in self._logs:
            for log, bounds in zip(logs, ends, strict=True):
                log.bounds = bounds
        total = 0
        while (found := await self._patiently(self._left(), tell)) != (0, 0):
            if found is not None:
                left, notes = found
                total = max(total, left)
                tell(total - left, total, "" if left else f"{notes} notes")
            await asyncio.sleep(LOOK_SECONDS)

    async def _left(self) -> tuple[int, int]:
        """How many records and notes have no effects yet; a note that fails has all that it can have."""
        failing = sum([await failing_notes(self.database, group) for group in READERS])
        status = await status_of(self._store, self._logs[0])
        return sum(status.lag.values()), max(0, sum(status.notes.values()) - failing)

    async def stop(self) -> None:
        """Let them finish, and leave."""
        for service in self._services:
            service.stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _check(self) -> None:
        """Raises what has ended one of them."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise StartError(
                    "the state was replaced meanwhile; nothing was switched, run `closedloop replay` again"
                )

    async def _patiently(self, look: Awaitable[T], tell: Tell) -> T | None:
        """What the look finds; None while the database cannot be reached."""
        self._check()
        try:
            return await look
        except Exception as error:
            if not is_outage(error):
                raise
            tell(0, 0, describe(error))
            return None


@asynccontextmanager
async def reading(settings: Settings, schema: str) -> AsyncIterator[Reading]:
    """Both consumers on the state of this schema; a new state has its rules from the settings.

    Each has a log of its own, as in its process. Until they are told how far to go they read nothing, but they hold.
    """
    dsn = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        pools = {group: await enter(connect(dsn, application=ALONE, size=2, schema=schema)) for group in READERS}
        logs = {group: [Bounded(log) for log in await enter(open_history(settings))] for group in READERS}
        for former in (log for own in logs.values() for log in own[:-1]):
            former.bounds = await former.true_ends()
        look = await enter(
            connect(
                dsn,
                application="command",
                size=2,
                read_only=True,
                statement_seconds=LONG_STATEMENT_SECONDS,
                schema=schema,
                scans=True,
            )
        )
        members = [pool.application for pool in pools.values()]
        at_work = Reading(look, Store(look, rules_of(settings)), list(logs.values()), members)
        stack.push_async_callback(at_work.stop)
        for group, topics in READERS.items():
            handler = (await handlers_of(pools[group], settings))[group]
            service = Service(group, settings)
            run = consume(
                logs[group], pools[group], group=group, topics=topics, handler=handler, service=service, fuse=math.inf
            )
            at_work.add(service, asyncio.create_task(run))
        yield at_work
