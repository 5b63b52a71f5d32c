"""What a batch reads depends on the batch, not on who else is there; on a real Postgres, which counts the rows."""

from datetime import timedelta

from schemas.identifier import identifier_id
from services.runtime.postgres import Database, columns
from tests.builders import ID_KEY, JANUARY, delivery, make_event
from tests.closing import Loop

LINKS = 300
OTHERS = 2_000
MOST_ROWS_A_LINK = 16
ADD_OTHERS = """
WITH other AS (SELECT * FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS other (id, value, place)),
known AS (INSERT INTO identifiers (id, value, first_at, lead, settled) SELECT id, value, now(), id, true FROM other),
seen AS (INSERT INTO visitors (visitor_id) SELECT 'visitor ' || value FROM other RETURNING number, visitor_id),
carried AS (
    INSERT INTO carriers (identifier, visitor, from_at, to_at)
    SELECT id, number, now(), now() FROM other JOIN seen ON visitor_id = 'visitor ' || value)
INSERT INTO pairs (a, b, settled)
SELECT least(one.id, two.id), greatest(one.id, two.id), true FROM other one JOIN other two ON two.place = one.place + 1
"""
ROWS_READ = """
SELECT sum(idx_tup_read) FROM pg_stat_user_indexes
WHERE schemaname = 'state' AND relname IN ('identifiers', 'pairs', 'carriers', 'visitors')
"""


async def test_joining_leads_reads_no_others_however_many_there_are(loop: Loop) -> None:
    """Of so many the planner would rather read all than look each up: as long as it believes that there are no more."""
    values = [f"user:other-{number}" for number in range(OTHERS)]
    await loop.database.execute(ADD_OTHERS, *columns([(identifier_id(value, ID_KEY), value) for value in values]))
    await loop.database.execute("ANALYZE")
    await take_chain(loop, "first")  # what nobody has sent before is planned, and looked up in the catalogue
    before = await rows_read(loop.database)
    await take_chain(loop, "second")
    assert await rows_read(loop.database) - before < LINKS * MOST_ROWS_A_LINK


async def take_chain(loop: Loop, name: str) -> None:
    """One batch of as many users, each of whom was the next one before."""
    await loop.handle(
        [
            delivery(
                make_event(
                    "identify",
                    f"{name}-{number}",
                    JANUARY + timedelta(seconds=number),
                    visitor_id=f"{name}-{number}",
                    user_id=f"{name}-{number}",
                    previous_id=f"{name}-{number + 1}",
                )
            )
            for number in range(LINKS)
        ]
    )


async def rows_read(database: Database) -> int:
    """Rows that were read by index since the statistics began; whole tables are not read, see `connect`."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        return int(await connection.fetchval(ROWS_READ))
