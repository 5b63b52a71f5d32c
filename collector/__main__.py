"""The collector's process: `python -m collector`. Wiring only."""

import asyncio
import gc

from prometheus_client import REGISTRY

from collector.app import ROUTES, make_app, route_of
from collector.counts import UNDER_WAY_BYTES, Counts
from collector.ingest import Ingest
from schemas.topics import EVENTS
from services.runtime.health import Health
from services.runtime.http import bind, serve_http
from services.runtime.late_log import LateLog
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import Intake
from services.runtime.logs import describe
from services.runtime.requests import Requests

PROBE_SECONDS = 2.0
"""How often the log is asked whether it is there."""

PROBE_SECONDS_AT_MOST = 5.0
"""Longer than the log's own deadline, at which it changes to another server."""


async def serve(service: Service) -> None:
    """Take events until `stopping`, then answer what is under way and close the log."""
    listener = bind(service.settings.host, service.settings.port, "PORT")
    log, counts = LateLog(), Counts()
    ingest = Ingest(service.settings, log, counts)
    UNDER_WAY_BYTES.set_function(lambda: ingest.bytes_under_way)
    app = Requests(make_app(ingest, service.health), route_of, sorted(ROUTES))
    REGISTRY.register(counts)
    REGISTRY.register(app)
    gc.freeze()  # what the imports made stays; walking it again and again cost a tenth of the processor
    async with asyncio.TaskGroup() as tasks:
        beside = [
            tasks.create_task(log.keep_open(service.settings)),
            tasks.create_task(watch_log(log, service.health)),
        ]
        await serve_http(app, listener, service.settings.trusted_proxies, service.stopping)
        for task in beside:
            task.cancel()


async def watch_log(log: Intake, health: Health) -> None:
    """Keep the readiness true to whether the log answers."""
    while True:
        try:
            async with asyncio.timeout(PROBE_SECONDS_AT_MOST):
                await log.ends(EVENTS.name)
            health.set("log", ok=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the log does not answer; events get 503 meanwhile
            health.set("log", ok=False, detail=f"does not answer: {describe(error)}")
        await asyncio.sleep(PROBE_SECONDS)


def main() -> None:
    run_service("collector", 0, serve, needs=("write_key", "admin_token", "id_key", "webhook_secret"))


if __name__ == "__main__":
    main()
