"""The digest: one SHA-256 over the present state. Equal for equal sets of events, whatever way they came.

Rows are read from one snapshot through a cursor, so the size of the state costs time and no memory of ours.
"""

import hashlib

import orjson

from services.runtime.postgres import Connection, Database, load_queries

PARTS = load_queries(__package__, "digest.sql")

ROWS_AT_ONCE = 1000


async def digest(database: Database) -> str:
    """The digest in hex: the SHA-256 of the parts' names and digests."""
    parts = await digest_parts(database)
    return hashlib.sha256("".join(f"{name} {part}\n" for name, part in parts.items()).encode()).hexdigest()


async def digest_parts(database: Database) -> dict[str, str]:
    """The digest of each part of the state, in hex, to find where two states differ."""
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await connection.execute("SET LOCAL statement_timeout = 0")
        return {name: await _digest_of(connection, query) for name, query in PARTS}


async def _digest_of(connection: Connection, query: str) -> str:
    """One JSON array a row; orjson writes each value in one way, instants to the microsecond."""
    whole = hashlib.sha256()
    async for row in connection.cursor(query, prefetch=ROWS_AT_ONCE):
        whole.update(orjson.dumps(list(row)))
        whole.update(b"\n")
    return whole.hexdigest()
