"""Offline touches in the database. Decides nothing."""

from collections.abc import Collection, Sequence

from identity.offline import OfflineTouch, TouchKey
from services.runtime.arrays import arrays
from services.runtime.postgres import Connection, load_queries

QUERIES = load_queries("identity")


async def lock_touches(
    connection: Connection, touches: Sequence[TouchKey], visitors: Collection[str]
) -> list[TouchKey]:
    """The offline touches among these, and those of these visitors; nobody else settles them meanwhile."""
    keys = arrays(touches) or [None] * 2
    rows = await connection.fetch(QUERIES.lock_touches, *keys, sorted(visitors))
    return sorted({(row["scope"], row["event_id"]) for row in rows})


async def offline_touches(
    connection: Connection, touches: Sequence[TouchKey]
) -> tuple[dict[TouchKey, OfflineTouch], dict[TouchKey, OfflineTouch]]:
    """The offline touches among these as they stand, and as they should; the locks are held."""
    keys = arrays(touches)
    stand = [OfflineTouch(*row) for row in await connection.fetch(QUERIES.standing_touches, *keys)]
    due = [OfflineTouch(*row) for row in await connection.fetch(QUERIES.due_touches, *keys)]
    return {touch.key: touch for touch in stand}, {touch.key: touch for touch in due}


async def replace_touches(connection: Connection, gone: Sequence[TouchKey], put: Sequence[OfflineTouch]) -> None:
    """Take away and put offline touches."""
    if gone:
        await connection.execute(QUERIES.remove_touches, *arrays(gone))
    if put:
        await connection.execute(QUERIES.put_touches, *arrays(put))
