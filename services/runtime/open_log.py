"""Which log the settings name: the only place that knows the adapters."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.runtime.log import Log
from services.runtime.settings import Settings


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[Log]:
    """The log to append to. Waits while it cannot be reached, and says so in the log lines.

    Raises StartError when it was not migrated, SettingsError when it refuses us.
    """
    # Imported when needed: a process that appends to one log has no use for the other's client, which is megabytes.
    if settings.kafka_servers:
        from services.runtime.kafka_log import open_kafka_log  # noqa: PLC0415

        async with open_kafka_log(settings) as log:
            yield log
    else:
        settings.require("database_url")
        from services.runtime.embedded_log import open_embedded_log  # noqa: PLC0415

        async with open_embedded_log(settings.database_url.get_secret_value()) as embedded:
            yield embedded


@asynccontextmanager
async def open_history(settings: Settings) -> AsyncIterator[Sequence[Log]]:
    """All logs to read, the one that is appended to last.

    An installation that has moved to Kafka began in the embedded log of the same database: what it holds comes first,
    for the consumers that had not finished it, and for a replay that begins at the beginning.
    """
    async with open_log(settings) as log:
        if not settings.kafka_servers:
            yield [log]
            return
        async with open_log(settings.model_copy(update={"broker": "embedded"})) as former:
            yield [former, log]
