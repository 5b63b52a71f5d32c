"""`python -m services.reports`: the reports service, wired."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.health import Health
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import open_log
from services.runtime.logs import describe
from services.runtime.postgres import PostgresError, connect, is_outage
from services.runtime.rules import rules_of
from services.runtime.settings import StartError

STATEMENT_SECONDS = 30
CHECK_SECONDS = 5
LAST_ANSWERS_SECONDS = 10


class Server(uvicorn.Server):
    """uvicorn, which leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(service: Service) -> None:
    """Answer requests until the service stops, then finish those under way."""
    settings = service.settings
    listener = listen(settings.host, settings.reports_port)
    dsn = settings.database_url.get_secret_value()
    async with (
        connect(dsn, application=service.name, size=3, read_only=True, statement_seconds=STATEMENT_SECONDS) as database,
        open_log(settings) as log,
    ):
        store = Store(database, rules_of(settings))
        server = Server(
            uvicorn.Config(
                create_app(store, log, settings),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
            )
        )
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(store, service.health))
            serving = tasks.create_task(server.serve(sockets=[listener]))
            await service.stopping.wait()
            server.should_exit = True
            await serving
            watching.cancel()


async def watch(store: Store, health: Health) -> None:
    """Ready while the database answers."""
    while True:
        try:
            await store.rules()
            health.set("postgres", True)
        except (OSError, PostgresError) as error:
            hint = "waiting for it" if is_outage(error) else "run `closedloop migrate`"
            health.set("postgres", False, f"{describe(error)}; {hint}")
        await asyncio.sleep(CHECK_SECONDS)


def listen(host: str, port: int) -> socket.socket:
    """The service's socket. Raises StartError when it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        message = f"{host} port {port} cannot be used ({reason}); set CLOSEDLOOP_REPORTS_PORT to a free one"
        raise StartError(message) from error


def main() -> None:
    run_service("reports", 3, serve, needs=("admin_token", "id_key", "write_key"))


if __name__ == "__main__":
    main()
