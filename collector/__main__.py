"""The collector's process: `python -m collector`. Wiring only."""

import asyncio
import gc

from prometheus_client import REGISTRY

from collector.app import make_app
from collector.counts import Counts
from collector.ingest import Ingest
from schemas.topics import EVENTS
from services.runtime.health import Health
from services.runtime.http import bind, serve_http
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import Log, open_log

PROBE_SECONDS = 2.0
"""How often the log is asked whether it is there."""


async def serve(service: Service) -> None:
    """Take events until `stopping`, then answer what is under way and close the log."""
    listener = bind(service.settings.host, service.settings.port, "PORT")
    service.health.set("log", ok=False, detail="has not answered yet")
    async with open_log(service.settings) as log:
        counts = Counts()
        REGISTRY.register(counts)
        ingest = Ingest(service.settings, log, counts)
        gc.freeze()  # what the imports made stays; walking it again and again cost a tenth of the processor
        async with asyncio.TaskGroup() as tasks:
            probe = tasks.create_task(watch_log(log, service.health))
            await serve_http(make_app(ingest, service.health), listener, service.stopping)
            probe.cancel()


async def watch_log(log: Log, health: Health) -> None:
    """Keep the readiness true to whether the log answers."""
    while True:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await log.ends(EVENTS.name)
            health.set("log", ok=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the log does not answer; events get 503 meanwhile
            health.set("log", ok=False, detail=f"does not answer ({type(error).__name__}); is Postgres up?")
        await asyncio.sleep(PROBE_SECONDS)


def main() -> None:
    run_service("collector", 0, serve, needs=("write_key", "admin_token", "id_key", "webhook_secret", "database_url"))


if __name__ == "__main__":
    main()
