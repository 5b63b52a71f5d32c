"""`python -m services.reports`: the reports service, wired."""

import asyncio

from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.health import Health
from services.runtime.http import bind, serve_http
from services.runtime.lifecycle import Service, run_service
from services.runtime.log import open_log
from services.runtime.logs import describe
from services.runtime.postgres import PostgresError, connect, is_outage
from services.runtime.rules import rules_of

STATEMENT_SECONDS = 30
CHECK_SECONDS = 5


async def serve(service: Service) -> None:
    """Answer requests until the service stops, then finish those under way."""
    settings = service.settings
    listener = bind(settings.host, settings.reports_port, "REPORTS_PORT")
    dsn = settings.database_url.get_secret_value()
    async with (
        connect(dsn, application=service.name, size=3, read_only=True, statement_seconds=STATEMENT_SECONDS) as database,
        open_log(settings) as log,
    ):
        store = Store(database, rules_of(settings))
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(store, service.health))
            await serve_http(create_app(store, log, settings), listener, service.stopping)
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


def main() -> None:
    run_service("reports", 3, serve, needs=("admin_token", "id_key", "write_key", "database_url"))


if __name__ == "__main__":
    main()
