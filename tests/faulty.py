"""A log, the real services on it, and what goes wrong with them: for tests of dead letters, the fuse and notes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from attributor.crediting import Crediting
from identity.resolver import Resolver
from schemas.codec import encode, model_of
from schemas.topics import ATTRIBUTOR, EVENTS, IDENTITY, READERS, TOPICS, key_of, topic_of
from services.reports.standing import lag_of
from services.runtime.consumer import consume
from services.runtime.delivering import Handler
from services.runtime.lifecycle import Service
from services.runtime.log import Log
from services.runtime.notes import failing_notes
from services.runtime.open_log import open_log
from services.runtime.postgres import Database, Record, connect
from services.runtime.retrying import Outcome, retry
from services.runtime.settings import Settings
from tests.builders import ID_KEY, RULES

PATIENCE = 20.0
Make = Callable[[Database], Handler]


def resolver(database: Database) -> Resolver:
    return Resolver(database, ID_KEY, ())


def crediting(database: Database) -> Crediting:
    return Crediting(database, ID_KEY, RULES)


SERVICES: Mapping[str, Make] = {IDENTITY: resolver, ATTRIBUTOR: crediting}


class Site:
    """An installation to break: a log, a database, and a look into both."""

    def __init__(self, settings: Settings, log: Log, database: Database) -> None:
        self.settings = settings
        self.dsn = settings.database_url.get_secret_value()
        self.log = log
        self.database = database

    async def append(self, *payloads: dict[str, Any]) -> None:
        """Log the events one by one, as the collector does."""
        for payload in payloads:
            event = model_of(payload)
            await self.log.append(topic_of(event.type).name, [(key_of(event), encode(payload))])

    async def append_bytes(self, value: bytes, topic: str = EVENTS.name, key: bytes = b"k") -> tuple[str, int, int]:
        """Log any bytes; answers where they stand."""
        before = await self.log.ends(topic)
        await self.log.append(topic, [(key, value)])
        after = await self.log.ends(topic)
        (partition,) = [number for number, end in enumerate(before) if after[number] > end]
        return topic, partition, before[partition]

    async def ends(self) -> dict[str, list[int]]:
        return {topic.name: await self.log.ends(topic.name) for topic in TOPICS}

    async def caught_up(self, *groups: str, failing: bool = False) -> None:
        """Wait until these groups have read the log to its end and worked off all notes; those that fail may be left."""

        async def over() -> bool:
            rows = await self.database.fetch("SELECT * FROM positions WHERE log_id = $1", self.log.log_id)
            positions = {(row["consumer_group"], row["topic"], row["partition"]): row["next_offset"] for row in rows}
            try:
                lag = lag_of(await self.ends(), positions)
            except OSError:  # the log does not answer just now
                return False
            notes = [
                await self.database.fetchval(
                    "SELECT count(*) FROM notes WHERE consumer_group = $1 AND NOT ($2 AND failures > 0)", each, failing
                )
                for each in groups
            ]
            return not any(lag[group] for group in groups) and not any(notes)

        await until(over)

    async def letters(self, group: str | None = None) -> list[Record]:
        return await self.database.fetch(
            "SELECT * FROM dead_letters WHERE $1::text IS NULL OR consumer_group = $1 ORDER BY id", group
        )

    async def retry(
        self, services: Mapping[str, Make | None] = SERVICES, tell: Callable[[int, str], None] = lambda *_: None
    ) -> Outcome:
        """Retry all letters with these services."""
        numbers: dict[str, list[int]] = {}
        for letter in await self.letters():
            numbers.setdefault(letter["consumer_group"], []).append(letter["id"])
        handlers = {group: make(self.database) if make else None for group, make in services.items()}
        return await retry(self.database, handlers, numbers, tell)

    async def failing(self, group: str) -> int:
        return await failing_notes(self.database, group)

    async def fail_on(self, table: str, when: str) -> None:
        """From now on a program that writes such a row to this table fails, as one with an error in it does."""
        await self.database.execute(f"""
            CREATE OR REPLACE FUNCTION state.fail() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'this program cannot'; END $$;
            CREATE TRIGGER fault BEFORE INSERT OR UPDATE ON state.{table} FOR EACH ROW WHEN ({when})
                EXECUTE FUNCTION state.fail()
        """)

    async def mend(self, table: str) -> None:
        await self.database.execute(f"DROP TRIGGER fault ON state.{table}")


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[Site]:
    dsn = settings.database_url.get_secret_value()
    async with connect(dsn, application="test", size=6) as database, open_log(settings) as log:
        yield Site(settings, log, database)


class Running(NamedTuple):
    """A consumer under way."""

    service: Service
    task: "asyncio.Task[None]"


@asynccontextmanager
async def consuming(site: Site, services: Mapping[str, Make] = SERVICES) -> AsyncIterator[dict[str, Running]]:
    """These services as consumers in this process, asked to stop at the end; raises what they raised."""
    running: dict[str, Running] = {}
    async with AsyncExitStack() as stack:
        for group, make in services.items():
            own = await stack.enter_async_context(connect(site.dsn, application=group, size=4))
            log = await stack.enter_async_context(open_log(site.settings))  # one reader a partition, as in a process
            service = Service(group, site.settings)
            run = consume([log], own, group=group, topics=READERS[group], handler=make(own), service=service)
            running[group] = Running(service, asyncio.create_task(run))
        try:
            yield running
        finally:
            for each in running.values():
                each.service.stopping.set()
            await asyncio.wait([each.task for each in running.values()], timeout=10)
            for each in running.values():
                await each.task


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait for what others bring about, which sets no event of ours."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


def place_of(letter: Record) -> tuple[str, int, int]:
    return letter["topic"], letter["partition"], letter["log_offset"]
