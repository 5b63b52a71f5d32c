"""One instant of the state: all that is read in it fits together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.postgres import Connection, Database


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Connection]:
    """A connection whose statements all see the state as it is when the first of them runs."""
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection
