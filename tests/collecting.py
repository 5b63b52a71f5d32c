"""The real collector on a port of its own, with the real log, inside the test's event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from collector.app import make_app
from collector.counts import Counts
from collector.ingest import Ingest
from schemas.codec import decode
from schemas.topics import TOPICS
from services.runtime.embedded_log import open_embedded_log
from services.runtime.health import Health
from services.runtime.http import serve_http
from services.runtime.log import Log
from services.runtime.settings import Settings


class Running(NamedTuple):
    """A collector that takes events."""

    url: str
    log: Log
    health: Health
    counts: Counts

    async def logged(self) -> list[dict[str, Any]]:
        """All events of the log, by topic, partition and offset."""
        events = []
        for topic in TOPICS:
            for partition, end in enumerate(await self.log.ends(topic.name)):
                offset = 0
                while offset < end:
                    records = await self.log.read(topic.name, partition, offset, 1_000_000, 1)
                    events += [decode(record.value)[1] for record in records]
                    offset = records[-1].offset + 1
        return events

    async def wait_for(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        """The events of the log once it has `count` of them, in the order in which they happened.

        One that was sent twice is one, by its `event_id`.
        """
        async with asyncio.timeout(seconds):
            while len(events := {event["event_id"]: event for event in await self.logged()}) < count:
                await asyncio.sleep(0.05)
        return sorted(events.values(), key=lambda event: event["occurred_at"])


@asynccontextmanager
async def running_collector(settings: Settings, append_seconds: float = 5) -> AsyncIterator[Running]:
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = asyncio.Event()
    async with open_embedded_log(settings.database_url.get_secret_value(), append_seconds) as log:
        health, counts = Health(), Counts()
        app = make_app(Ingest(settings, log, counts), health)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_http(app, listener, (), stopping))
            yield Running(f"http://localhost:{listener.getsockname()[1]}", log, health, counts)
            stopping.set()
