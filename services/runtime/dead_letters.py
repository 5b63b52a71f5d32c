"""Records that could not be read or handled, put aside in the transaction that moves past them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from services.runtime.postgres import Connection, Database, Record, columns, load_queries

HANDLER_FAILED = "handler_failed"
"""The reason for a record that could be read, but that the service could not handle; the others are the codec's."""

queries = load_queries(__package__)


class DeadLetter(NamedTuple):
    """Where the record is, why it is here, and its bytes. `detail` is free of personal values, `value` is not."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    value: bytes


async def put_aside(connection: Connection, log_id: UUID, group: str, letters: Sequence[DeadLetter]) -> None:
    """Keep the letters, once each, if the transaction of `connection` commits."""
    if letters:
        await connection.execute(queries.put_aside, group, log_id, *columns(letters))


async def newest(database: Database, limit: int) -> list[Record]:
    """The newest letters, without their bytes."""
    return await database.fetch(queries.newest_letters, limit)


async def one(database: Database, number: int) -> Record | None:
    """One letter with its bytes."""
    return await database.fetchrow(queries.one_letter, number)
