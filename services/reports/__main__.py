"""`python -m services.reports`: the reports service, wired."""

import asyncio

from prometheus_client import REGISTRY

from services.reports.app import create_app, route_of
from services.reports.store import Store
from services.reports.watch import Watcher
from services.runtime.health import Health
from services.runtime.http import bind, serve_http
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.open_log import open_history
from services.runtime.postgres import PostgresError, connect, is_outage
from services.runtime.requests import Requests
from services.runtime.rules import rules_of
from services.runtime.settings import Settings

STATEMENT_SECONDS = 30
CHECK_SECONDS = 5


async def serve(service: Service) -> None:
    """Answer requests until the service stops, then finish those under way."""
    settings = service.settings
    listener = bind(settings.host, settings.reports_port, "REPORTS_PORT")
    dsn = settings.database_url.get_secret_value()
    logs: list[Log] = []
    async with connect(
        dsn, application=service.name, size=3, read_only=True, statement_seconds=STATEMENT_SECONDS, scans=True
    ) as database:
        store = Store(database, rules_of(settings))
        async with asyncio.TaskGroup() as tasks:
            watcher = Watcher(store, database, logs)
            app = Requests(create_app(store, logs, settings), route_of)
            REGISTRY.register(watcher)
            REGISTRY.register(app)
            beside = [
                tasks.create_task(watcher.run(service.health)),
                tasks.create_task(watch(store, service.health)),
                tasks.create_task(keep_open(settings, logs)),
            ]
            await serve_http(app, listener, settings.trusted_proxies, service.stopping)
            for task in beside:
                task.cancel()


async def keep_open(settings: Settings, logs: list[Log]) -> None:
    """Put the logs into `logs` as soon as they answer: the figures do not wait for a log that is away."""
    async with open_history(settings) as history:
        logs.extend(history)
        await asyncio.Event().wait()


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


def main() -> None:
    run_service("reports", 3, serve, needs=("admin_token", "id_key", "write_key", "database_url"))


if __name__ == "__main__":
    main()
