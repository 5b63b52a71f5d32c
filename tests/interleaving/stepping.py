"""A database of which every statement, begin, commit and rollback first asks whether it may: what crashes and turns need.

The product's own `Database` on connections of a class of ours; the code that uses it is none the wiser.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from attributor import store as attributor_store
from identity import store as identity_store
from services.runtime import delivering
from services.runtime.postgres import Database, _leave_as_it_is, _session

Pace = Callable[[asyncpg.Connection, str], Awaitable[None]]
"""Awaited before each statement, with its connection and its text; what it raises comes in the statement's place."""

NAMES = {
    text: name
    for queries in (identity_store.QUERIES, attributor_store.QUERIES, delivering.queries)
    for name, text in queries
}


def name_of(statement: str) -> str:
    """The name of a query of ours; of other statements the text, such as COMMIT."""
    return NAMES.get(statement, statement.strip("; "))


@asynccontextmanager
async def open_stepped(dsn: str, name: str, pace: Pace) -> AsyncIterator[Database]:
    """A pool as the services have it, with `pace` in all of its connections. Deadlocks are found at once."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=2,
        connection_class=_stepping(pace),
        server_settings={**_session(name, read_only=False, statement_seconds=60), "deadlock_timeout": "20ms"},
        reset=_leave_as_it_is,
    )
    try:
        yield Database(pool, name)
    finally:
        await pool.close()


def _stepping(pace: Pace) -> type[asyncpg.Connection]:
    """The class of connections that ask `pace`; a closed one has nothing to ask for."""

    def paced(verb: str, prefix: str = "") -> Callable[..., Awaitable[Any]]:
        async def ask_and_run(self: asyncpg.Connection, subject: str, *args: Any, **options: Any) -> Any:
            if not self.is_closed():
                await pace(self, prefix + subject)
            return await getattr(asyncpg.Connection, verb)(self, subject, *args, **options)

        return ask_and_run

    statements = {verb: paced(verb) for verb in ("execute", "fetch", "fetchrow", "fetchval")}
    copy = {"copy_records_to_table": paced("copy_records_to_table", "COPY ")}  # it takes a table, not a statement
    return type("Stepping", (asyncpg.Connection,), statements | copy)
