"""`python -m attributor`: the attributor as a process."""

from attributor.crediting import Crediting
from schemas.topics import ATTRIBUTOR, READERS
from services.runtime.consumer import consume
from services.runtime.lifecycle import Service, run_service
from services.runtime.open_log import open_history
from services.runtime.postgres import connect
from services.runtime.rules import adopt_rules


async def serve(service: Service) -> None:
    """Consume until the service is asked to stop; when a replay has put another state in force, under its rules."""
    settings = service.settings
    dsn = settings.database_url.get_secret_value()
    async with connect(dsn, application=ATTRIBUTOR, size=2) as database, open_history(settings) as logs:
        while not service.stopping.is_set():
            rules = await adopt_rules(database, settings)
            crediting = Crediting(database, settings.id_key.get_secret_value(), rules)
            await consume(
                logs, database, group=ATTRIBUTOR, topics=READERS[ATTRIBUTOR], handler=crediting, service=service
            )


if __name__ == "__main__":
    run_service(ATTRIBUTOR, 2, serve, needs=("database_url", "id_key"))
