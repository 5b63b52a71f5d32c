"""Whether the log still is the one that was read: it holds the last record that was handled, where it was.

A topic of Kafka that was deleted and made anew, or restored from an older copy, has other records at the same offsets.
Going on in it would skip the first of them without a word.
"""

import asyncio
from collections.abc import Collection
from zlib import crc32

from services.runtime.leases import Place
from services.runtime.log import Log, Record
from services.runtime.postgres import Database, columns, load_queries
from services.runtime.postgres import Record as Row
from services.runtime.settings import StartError

queries = load_queries(__package__)


def checksum(record: Record) -> int:
    """The CRC-32 of a record's value."""
    return crc32(record.value)


async def check_continuity(log: Log, database: Database, group: str, places: Collection[Place]) -> None:
    """Raises StartError when one of the partitions holds another record where the group's last one was.

    Where nothing is held there any more, reading on will say so.
    """
    if places:
        rows = await database.fetch(queries.last_records, log.log_id, group, *columns(sorted(places)))
        checks = await asyncio.gather(*(_check(log, group, row) for row in rows), return_exceptions=True)
        for outcome in checks:  # all reads are over before another may begin in their partitions
            if outcome is not None:
                raise outcome


async def _check(log: Log, group: str, last: Row) -> None:
    try:
        found = await log.read(last["topic"], last["partition"], last["log_offset"], 1, 0)
    except StartError:
        return
    if found and checksum(found[0]) != last["last_checksum"]:
        raise StartError(
            f"{last['topic']}[{last['partition']}] holds another record at {last['log_offset']} than {group} handled "
            "there: the topic was made anew, or restored from an older copy. Nothing was skipped; bring it back, or "
            "begin an empty database to read it from its first offset"
        )
