"""The collector's process: `python -m collector`. Wiring only."""

import asyncio
import gc
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from prometheus_client import REGISTRY

from collector.app import App, make_app
from collector.counts import Counts
from collector.ingest import Ingest
from schemas.topics import EVENTS
from services.runtime.health import Health
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import Log, open_log
from services.runtime.settings import Settings, SettingsError, StartError

PROBE_SECONDS = 2.0
"""How often the log is asked whether it is there."""


async def serve(service: Service) -> None:
    """Take events until `stopping`, then answer what is under way and close the log."""
    listener = bind(service.settings)
    service.health.set("log", ok=False, detail="has not answered yet")
    async with open_log(service.settings) as log:
        counts = Counts()
        REGISTRY.register(counts)
        try:
            ingest = Ingest(service.settings, log, counts)
        except ValueError as error:
            message = f"CLOSEDLOOP_WEBHOOK_SECRET is no secret of Standard Webhooks, whsec_ and base64 ({error})"
            raise SettingsError(message) from error
        gc.freeze()  # what the imports made stays; walking it again and again cost a tenth of the processor
        async with asyncio.TaskGroup() as tasks:
            probe = tasks.create_task(watch_log(log, service.health))
            await listen(make_app(ingest, service.health), listener, service.stopping)
            probe.cancel()


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Raises StartError when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        message = f"{settings.host} port {settings.port} cannot be used ({error.strerror}); set CLOSEDLOOP_PORT"
        raise StartError(message) from error
    return listener


async def listen(app: App, listener: socket.socket, stopping: asyncio.Event) -> None:
    """Serve HTTP on the socket until `stopping` is set and the requests under way are answered."""
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            loop="none",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=15,
        )
    )

    async def stop() -> None:
        await stopping.wait()
        server.should_exit = True

    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(stop())
        await server.serve(sockets=[listener])
        watcher.cancel()


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


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service's lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def main() -> None:
    run_service("collector", 0, serve, needs=("write_key", "admin_token", "id_key", "webhook_secret"))


if __name__ == "__main__":
    main()
