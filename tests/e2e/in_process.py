"""The whole loop in one process: the real collector application, log, consumers and database, without their sockets.

For tests that need many runs. What depends on processes (kill, signals, ports) is tested on real ones.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from attributor.crediting import Crediting
from collector.app import make_app
from collector.counts import Counts
from collector.ingest import Ingest
from identity.resolver import Resolver
from schemas.topics import ATTRIBUTOR, IDENTITY, READERS
from services.reports.digest import digest, digest_parts
from services.reports.standing import status_of
from services.reports.store import Store
from services.runtime.consumer import consume
from services.runtime.health import Health
from services.runtime.lifecycle import Service
from services.runtime.log import Log
from services.runtime.open_log import open_history
from services.runtime.postgres import Database, connect
from services.runtime.rules import rules_of
from services.runtime.settings import Settings

PATIENCE = 60.0


class Loop:
    """One installation under way."""

    def __init__(self, settings: Settings, logs: Sequence[Log], database: Database) -> None:
        self._settings = settings
        self._logs = logs
        self._database = database
        ingest = Ingest(settings, logs[-1], Counts())
        self._app = make_app(ingest, Health())

    async def post(self, batches: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Send the batches one after another, with the admin token; every event must be accepted."""
        headers = {"Authorization": f"Bearer {self._settings.admin_token.get_secret_value()}"}
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://collector", headers=headers) as client:
            for batch in batches:
                answer = await client.post("/v1/events", json=list(batch))
                assert answer.json() == {"accepted": len(batch), "rejected": []}, answer.text

    async def settle(self) -> None:
        """Wait until everything logged has had its effects."""
        store = Store(self._database, rules_of(self._settings))
        async with asyncio.timeout(PATIENCE):
            while not (await status_of(store, self._logs)).settled:
                await asyncio.sleep(0.02)

    async def digest(self) -> str:
        return await digest(self._database)

    async def digest_parts(self) -> dict[str, str]:
        return await digest_parts(self._database)


@asynccontextmanager
async def running_loop(settings: Settings, *, consumers: int = 1) -> AsyncIterator[Loop]:
    """A loop with this many identity consumers and as many attributors."""
    dsn = settings.database_url.get_secret_value()
    services = [Service(group, settings) for group in (IDENTITY, ATTRIBUTOR) * consumers]
    async with AsyncExitStack() as stack:
        logs = await stack.enter_async_context(open_history(settings))
        database = await stack.enter_async_context(connect(dsn, application="loop", size=4))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for service in services:
            tasks.create_task(_run(service))
        try:
            yield Loop(settings, logs, database)
        finally:
            for service in services:
                service.stopping.set()
            await asyncio.sleep(0)


async def _run(service: Service) -> None:
    """One consumer, with a log and a pool of its own, as in its process."""
    settings, rules = service.settings, rules_of(service.settings)
    dsn, id_key = settings.database_url.get_secret_value(), settings.id_key.get_secret_value()
    async with connect(dsn, application=service.name, size=4) as own, open_history(settings) as logs:
        handler: Any = (
            Resolver(own, id_key, rules.own_domains) if service.name == IDENTITY else Crediting(own, id_key, rules)
        )
        await consume(logs, own, group=service.name, topics=READERS[service.name], handler=handler, service=service)


def shuffled(
    events: Sequence[dict[str, Any]], rng: random.Random, *, repeated: float = 1 / 3
) -> list[list[dict[str, Any]]]:
    """The events in a random order, some of them twice, in random batches."""
    order = [*events, *rng.sample(list(events), int(len(events) * repeated))]
    rng.shuffle(order)
    batches = []
    while order:
        size = rng.choice((1, 2, 5, 20, 100, 300))
        batches.append(order[:size])
        order = order[size:]
    return batches
