"""Working off notes: in chunks, and so that one which always fails holds up no other."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from schemas.note import Note, NoteKind
from services.runtime.logs import describe
from services.runtime.metrics import NOTES_WORKED
from services.runtime.postgres import (
    Connection,
    Database,
    is_conflict,
    is_of_another_version,
    is_outage,
    load_queries,
)

Work = Callable[[Connection, Sequence[Note]], Awaitable[None]]
"""Does what the notes ask for, in the transaction of the connection, which takes them off the list."""

queries = load_queries(__package__)
logger = logging.getLogger(__name__)


async def work_off(database: Database, group: str, kinds: Sequence[NoteKind], limit: int, work: Work) -> bool:
    """Work off at most `limit` of the group's oldest notes of these kinds; False when none of them is due.

    Where a chunk fails, half of it is tried, down to the note that fails alone: that one is put off, longer each time,
    and the log says so. Raises outages and conflicts: those are no note's fault.
    """
    ids: list[int] = []
    try:
        async with database.transaction() as connection:
            claimed = await connection.fetch(queries.claim_notes, group, kinds, limit)
            ids = [row["id"] for row in claimed]
            if claimed:
                await work(connection, [Note(group, NoteKind(row["kind"]), *row[2:]) for row in claimed])
    except Exception as error:
        if not ids or is_outage(error) or is_conflict(error) or is_of_another_version(error):
            raise
        if len(ids) > 1:
            return await work_off(database, group, kinds, len(ids) // 2, work)
        await _put_off(database, group, ids[0], error)
    else:
        NOTES_WORKED.labels(group).inc(bool(ids))
    return bool(ids)


async def failing_notes(database: Database, group: str) -> int:
    """How many of the group's notes have failed alone and wait to be tried again."""
    return int(await database.fetchval(queries.failing_notes, group))


async def hasten_failing_notes(database: Database, group: str) -> None:
    """Try the failing notes again now: the program that starts may be the one that can."""
    await database.execute(queries.hasten_failing_notes, group)


async def _put_off(database: Database, group: str, number: int, error: Exception) -> None:
    row = await database.fetchrow(queries.put_off_note, number)
    if row is not None:
        place = {"group": group, "note": number, "kind": row["kind"], "failures": row["failures"]}
        seconds = row["pause"].total_seconds()
        logger.error(
            "a note fails; it is tried again later",
            exc_info=error,
            extra={**place, "seconds": seconds, "reason": describe(error)},
        )
