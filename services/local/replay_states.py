"""The two states of a replay: the new one is made empty beside the one in force, and in the end put in its place."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from schemas.credit import Cause
from services.runtime.migrate import make_beside, read_migrations
from services.runtime.postgres import STATE, Connection, Database, is_conflict, load_queries
from services.runtime.settings import StartError

REPLAY = "replay"
"""The schema of the state that is derived anew."""
BEFORE = "state_before"
"""The schema of the state that was in force until the last replay."""

LOCK_WAIT = "500ms"
"""Shorter than Postgres waits before it looks for a deadlock: we give way, nobody is thrown out."""
LOCK_PAUSE_SECONDS = 0.5
LOCK_SECONDS_UNTOLD = 5.0

queries = load_queries(__package__, "replay.sql")


async def claim(connection: Connection) -> None:
    """Be the only replay until the connection ends. Raises StartError when another one is under way."""
    if not await connection.fetchval(queries.claim):
        raise StartError("another `closedloop replay` is under way on this database; wait for it, or stop it")


async def size_of(connection: Connection, schema: str) -> int | None:
    """The bytes of a schema on the disk; None when there is none of that name."""
    size: int | None = await connection.fetchval(queries.size, schema)
    return size


async def make_new(connection: Connection) -> None:
    """An empty new state; what a killed replay has left goes."""
    await drop(connection, REPLAY)
    await make_beside(connection, REPLAY)


async def drop(connection: Connection, schema: str) -> None:
    """Remove a schema with all that is in it, if it is there."""
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def analyze_new(database: Database) -> None:
    """Tell Postgres what the new tables are like; it has not always got round to it."""
    names = [row["name"] for row in await database.fetch(queries.tables, REPLAY)]
    await database.execute("ANALYZE " + ", ".join(names))


async def begun_at(database: Database) -> datetime:
    """By what the new state is known for our own: no other has begun at this instant."""
    begun: datetime = await database.fetchval(queries.begun_at)
    return begun


async def put_in_force(database: Database, begun: datetime, cause: Cause, tell: Callable[[str], None]) -> None:
    """Carry the ledger over into the new state, and make that one the state.

    Nobody may be at work on the new state, and both must have read the same. The ledger is held still meanwhile, so
    that no correction is lost; then, for an instant, the whole state in force: who is in the middle of it ends first,
    and who waits finds the new one under its name. Raises StartError when the new state is not the one that `begun`
    stands for, or the tables were migrated since it was made.
    """
    async with database.transaction() as gate:
        if await gate.fetchval(queries.begun_at) != begun:
            raise StartError("another replay has begun while Postgres was away; nothing was changed by this one")
        await gate.execute(queries.hold_ledger_still)
        async with database.transaction() as connection:
            await _carry_over(connection, cause)
        await _lock_state(gate, tell)
        if await gate.fetchval(queries.version_of_tables) != len(read_migrations()):
            raise StartError("the tables were migrated meanwhile; nothing has changed, run `closedloop replay` again")
        await gate.execute(queries.switch)


async def _carry_over(connection: Connection, cause: Cause) -> None:
    """Committed before the switch: a report that began before it, and reads on behind it, finds the ledger whole."""
    at = await connection.fetchval(queries.ledger_time)
    await connection.execute(f"CREATE TEMP TABLE changed ON COMMIT DROP AS {queries.changed_deals}")
    await connection.execute(queries.put_due_aside)
    await connection.execute(queries.take_over_history)
    await connection.execute(queries.close_changed, at, cause.value)
    await connection.execute(queries.date_due, at, cause.value)
    await connection.execute(queries.add_due)
    await connection.execute(queries.renumber_letters)


async def _lock_state(gate: Connection, tell: Callable[[str], None]) -> None:
    """All tables of the state in force. While somebody is in them it tries again, so that others get in between."""
    names = [row["name"] for row in await gate.fetch(queries.tables, STATE)]
    told = time.monotonic()
    while True:
        try:
            async with gate.transaction():
                await gate.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
                await gate.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
        except Exception as error:
            if not is_conflict(error):
                raise
        else:
            return
        if time.monotonic() - told > LOCK_SECONDS_UNTOLD:
            told = time.monotonic()
            tell("waiting until nobody reads the state in force: a long report, a backup")
        await asyncio.sleep(LOCK_PAUSE_SECONDS)
