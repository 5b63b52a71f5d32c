"""Records that could not be read or handled, put aside in the transaction that moves past them."""

from collections.abc import Collection, Sequence
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
        rows = [letter._replace(detail=_storable(letter.detail)) for letter in letters]
        await connection.execute(queries.put_aside, group, log_id, *columns(rows))


async def letters_at_the_end(database: Database, log_id: UUID, group: str, most: int) -> int:
    """How many records, the last ones of their partitions that the group has passed, are letters nobody has retried.

    Counted up to `most` in each partition.
    """
    return int(await database.fetchval(queries.letters_at_the_end, log_id, group, most))


async def newest(
    database: Database, limit: int, *, group: str | None = None, reason: str | None = None
) -> list[Record]:
    """The newest letters, of one group or for one reason where that is given, without their bytes."""
    return await database.fetch(queries.newest_letters, group, reason, limit)


async def one(database: Database, number: int) -> Record | None:
    """One letter with its bytes."""
    return await database.fetchrow(queries.one_letter, number)


async def to_retry(
    database: Database, groups: Collection[str], numbers: Collection[int] | None, reason: str | None
) -> dict[str, list[int]]:
    """By group the numbers of its letters, the oldest first: those of `numbers` (None: all), for one reason or any."""
    rows = await database.fetch(queries.letters_to_retry, groups, numbers, reason)
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["consumer_group"], []).append(row["id"])
    return found


async def by_number(database: Database, numbers: Sequence[int]) -> list[Record]:
    """Those of these letters that are still there: id, topic, partition, log_offset and value."""
    return await database.fetch(queries.letters_by_id, numbers)


async def remove(connection: Connection, numbers: Sequence[int]) -> int:
    """Take these letters away if the transaction of `connection` commits; answers how many were still there."""
    return len(await connection.fetch(queries.remove_letters, numbers))


async def note_failure(database: Database, number: int, reason: str, detail: str) -> None:
    """Count one more try of a letter that stays, and keep what is wrong with it now."""
    await database.execute(queries.tried_again, number, reason, _storable(detail))


def place_of(letter: Record) -> str:
    """Where a letter's record stands in its log, in short."""
    return f"{letter['topic']}[{letter['partition']}]@{letter['log_offset']}"


def readable(value: bytes) -> str:
    """A record's bytes for a terminal: as text, with what is none, and what would steer the terminal, as escapes."""
    text = value.decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _storable(detail: str) -> str:
    """Without U+0000, which Postgres has no text for; it may stand in the name of a field."""
    return detail.replace("\0", "\\0")
