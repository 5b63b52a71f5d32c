"""Migrations: numbered SQL files, each applied once, in order, never back; then the topics of the log.

An applied file never changes: its checksum is kept. What must change stands in a new file. Any number of programs may
migrate at once; an advisory lock lets one through.
"""

import hashlib
import re
from collections.abc import Callable
from importlib import resources
from typing import NamedTuple

from schemas.topics import TOPICS
from services.runtime.postgres import Connection, connect, load_queries
from services.runtime.settings import StartError

OLDEST_POSTGRES = 15
LOCK = 0x636C6F6F70
"""The advisory lock's number: `cloop` in ASCII."""

queries = load_queries(__package__)


class Migration(NamedTuple):
    """One file: its number, name and text."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(dsn: str, progress: Callable[[str], None]) -> list[str]:
    """Bring the database to this program's version; the names of the files applied now, in order.

    Waits while Postgres is away or another program migrates. `progress` is told each file. Raises StartError when
    the database is too old, not UTF-8, of a newer program, or was migrated with a file that has changed since.
    """
    async with (
        connect(dsn, application="migrate", size=1, statement_seconds=3600, scans=True) as database,
        database.connection() as connection,
    ):
        await connection.execute("SET lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        try:
            await _check_server(connection)
            await connection.execute(queries.make_journal)
            journal = {row["number"]: (row["name"], row["checksum"]) for row in await connection.fetch(queries.journal)}
            pending = pending_of(read_migrations(), journal)
            for migration in pending:
                progress(f"migrating: {migration.name}")
                async with connection.transaction():
                    await connection.execute(migration.sql)
                    await connection.execute(queries.note_migration, *migration[:2], migration.checksum)
            await _make_topics(connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    return [migration.name for migration in pending]


async def make_beside(connection: Connection, schema: str) -> None:
    """Make an empty state of this program's version in a new schema, beside the one in force.

    By the same files, which name the schema `state`: in one transaction, so that nobody sees it, the real ones stand
    aside while the files run. Raises StartError when the state in force is not of this version.
    """
    journal = {row["number"]: (row["name"], row["checksum"]) for row in await connection.fetch(queries.journal)}
    migrations = read_migrations()
    if pending_of(migrations, journal):
        raise StartError("the database has not the tables of this version; run `closedloop migrate`")
    async with connection.transaction():
        await connection.execute(queries.stand_aside)
        for migration in migrations:
            await connection.execute(migration.sql)
        await connection.execute(f"DROP SCHEMA log CASCADE; ALTER SCHEMA state RENAME TO {schema}")
        await connection.execute(queries.come_back)


def read_migrations() -> list[Migration]:
    """The files of this program. Raises ValueError when their numbers are not 1, 2, 3, ..."""
    files = [file for file in resources.files("services.runtime.migrations").iterdir() if file.name.endswith(".sql")]
    found: list[Migration] = []
    for file in sorted(files, key=lambda file: file.name):
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise ValueError(f"{file.name}: migrations are named 0001_what.sql, with no number missing or twice")
        found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    return found


def pending_of(migrations: list[Migration], journal: dict[int, tuple[str, str]]) -> list[Migration]:
    """What is still to be applied, given the (name, checksum) of each number applied. Raises StartError."""
    known = {migration.number: migration for migration in migrations}
    for number, (name, checksum) in sorted(journal.items()):
        if number not in known:
            raise StartError(f"the database was migrated by a newer version ({name}); update this program")
        if known[number].checksum != checksum:
            raise StartError(
                f"{name} is not the file that was applied to this database; restore that one, add a new one"
            )
    return [migration for migration in migrations if migration.number not in journal]


async def _check_server(connection: Connection) -> None:
    version, encoding = await connection.fetchrow(queries.server) or (0, "")
    if version < OLDEST_POSTGRES * 10_000:
        raise StartError(f"Postgres {version // 10_000} is too old; {OLDEST_POSTGRES} is the oldest that will do")
    if encoding != "UTF8":
        raise StartError(f"the database is encoded in {encoding}; create it with ENCODING 'UTF8' TEMPLATE template0")


async def _make_topics(connection: Connection) -> None:
    """Partitions are made once: were there more later, keys would move, and their order would be lost."""
    await connection.execute(queries.make_topics, [t.name for t in TOPICS], [t.partitions for t in TOPICS])
    found: dict[str, int] = {row["topic"]: row["partitions"] for row in await connection.fetch(queries.partitions)}
    for topic in TOPICS:
        if found[topic.name] != topic.partitions:
            raise StartError(
                f"topic {topic.name} has {found[topic.name]} partitions, this program expects {topic.partitions}"
            )
