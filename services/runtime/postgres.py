"""Postgres: a pool that is right from the first connection on, what its errors ask for, and queries kept in files.

This is the only module that names asyncpg's driver; what others need of it they import from here.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.runtime.backoff import backoff
from services.runtime.logs import describe
from services.runtime.metrics import POOLS
from services.runtime.settings import SettingsError

Record = asyncpg.Record
PostgresError = asyncpg.PostgresError
UndefinedTableError = asyncpg.UndefinedTableError
UniqueViolationError = asyncpg.UniqueViolationError
if TYPE_CHECKING:
    Connection = asyncpg.Connection[Record] | PoolConnectionProxy[Record]
else:
    Connection = asyncpg.Connection | PoolConnectionProxy  # the classes are generic in their stubs alone

ACQUIRE_SECONDS = 10
LOCK_SECONDS = 20
STATE = "state"
"""The schema of the state in force; a replay makes another beside it, and then gives it this name."""
IDLE_SECONDS = 30
"""A burst's connections are given back after this: each costs the server some megabytes."""
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Database:
    """A pool; every connection has the settings of `_session`, whatever the server's own are."""

    def __init__(self, pool: "asyncpg.Pool[Record]", application: str) -> None:
        self._pool = pool
        self.application = application
        """What Postgres calls the sessions of this pool (application_name); no other pool has the same."""
        self._first: Callable[[Connection], Awaitable[None]] | None = None

    def begin_with(self, first: Callable[[Connection], Awaitable[None]]) -> None:
        """From now on each transaction of this pool begins with `first`; what that raises ends it."""
        self._first = first

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Connection]:
        """One transaction, rolled back when the block raises.

        With `durable=False` the commit does not wait for the disk: a crash of Postgres may lose it whole, never in
        part, and never without losing every later one of the same rows.
        """
        async with self.connection() as connection, connection.transaction():
            if not durable:
                await connection.execute("SET LOCAL synchronous_commit = off")
            if self._first is not None:
                await self._first(connection)
            yield connection

    async def fetch(self, query: str, *args: object) -> list[Record]:
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        """The command tag, such as `UPDATE 3`."""
        async with self.connection() as connection:
            return await connection.execute(query, *args)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, outside of a transaction: each statement is one of its own.

        After an outage none of the pool's connections is used again; they may lead to a server that was demoted.
        """
        try:
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection
        except Exception as error:
            if is_outage(error):
                await self._pool.expire_connections()
            raise


@asynccontextmanager
async def connect(  # noqa: PLR0913 - all but one by name
    dsn: str,
    *,
    application: str,
    size: int = 4,
    read_only: bool = False,
    statement_seconds: float = 60,
    schema: str = STATE,
    scans: bool = False,
) -> AsyncIterator[Database]:
    """A pool of at most `size` connections to `dsn`. While Postgres is away it waits, and says so in the log.

    A statement longer than `statement_seconds` is ended by the server. `schema` is that of the state that is meant.
    Unless the pool `scans`, its plans take indexes: what is bounded by a batch must not read a whole table because that
    was small when the plan was made, or when statistics were.
    Raises SettingsError when waiting would not help: for a wrong password, a database that does not exist, an address
    that is none.
    """
    name = f"closedloop {application} {token_hex(6)}"
    session = _session(name, read_only, statement_seconds, schema, scans)
    pool = await _wait_for_pool(dsn, session, size, statement_seconds)
    POOLS.add(application, pool)
    try:
        yield Database(pool, name)
    finally:
        POOLS.remove(application, pool)
        try:
            await asyncio.wait_for(pool.close(), timeout=5)
        except TimeoutError:
            pool.terminate()


def is_application(name: str, application: str) -> bool:
    """Whether the sessions of this name are those of a pool that `connect` made for `application`."""
    return name.startswith(f"closedloop {application} ")


def _session(
    name: str, read_only: bool, statement_seconds: float, schema: str = STATE, scans: bool = False
) -> dict[str, str]:
    return {
        "application_name": name,
        "search_path": f"{schema}, log",
        "timezone": "UTC",
        "statement_timeout": f"{statement_seconds * 1000:.0f}",
        "lock_timeout": f"{LOCK_SECONDS * 1000}",
        "idle_in_transaction_session_timeout": f"{statement_seconds * 1000:.0f}",
        "default_transaction_read_only": "on" if read_only else "off",
        "default_transaction_isolation": "read committed",  # who has waited for a lock must see what was committed
        "synchronous_commit": "on",  # what we call durable is, also on a server that is set to take it easy
        "jit": "off",
        "enable_seqscan": "on" if scans else "off",
    }


async def _wait_for_pool(
    dsn: str, session: dict[str, str], size: int, statement_seconds: float
) -> "asyncpg.Pool[Record]":
    failures = 0
    while True:
        try:
            return await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                max_inactive_connection_lifetime=IDLE_SECONDS,
                timeout=ACQUIRE_SECONDS,
                command_timeout=statement_seconds + 5,  # the server's own timeout comes first; this is for a silent one
                server_settings=session,
                reset=_leave_as_it_is,
            )
        except Exception as error:
            if isinstance(error, _REFUSALS):
                raise SettingsError(f"CLOSEDLOOP_DATABASE_URL does not work: {describe(error)}") from error
            if not is_outage(error):
                raise
            wait = backoff(FIRST_WAIT_SECONDS, failures, LONGEST_WAIT_SECONDS)
            logger.warning(
                "Postgres does not answer; trying again", extra={"reason": describe(error), "seconds": round(wait, 1)}
            )
        await asyncio.sleep(wait)
        failures += 1


_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)


async def _leave_as_it_is(connection: Connection) -> None:
    """Nothing of ours outlives its transaction, so that RESET ALL after each use would be a round trip for nothing."""


_OUTAGE_CLASSES = ("08", "53", "58")
"""SQLSTATE classes: connection exception, insufficient resources (disk, memory, connections), system error."""

_OUTAGE_STATES = frozenset(
    {
        "25006",  # read-only transaction: a failover under way
        "25P03",  # idle in transaction for too long: this process was paused
        "25P04",  # transaction timeout
        "57014",  # statement timeout, or cancelled by an operator
        "57P01",  # shutting down
        "57P02",  # crashed
        "57P03",  # starting up
        "57P05",  # idle session timeout
        "XX001",  # corrupt table: no record's fault
        "XX002",  # corrupt index
    }
)

_CONFLICT_STATES = frozenset({"40001", "40P01", "55P03"})


def is_outage(error: BaseException) -> bool:
    """Whether `error` says that Postgres, or the way to it, is not there or has no room: wait and try again."""
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate or "")
        return state[:2] in _OUTAGE_CLASSES or state in _OUTAGE_STATES
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # "connection is closed", "pool is closing": asyncpg has no class for these
    return isinstance(error, OSError | asyncpg.TargetServerAttributeNotMatched)


def is_conflict(error: BaseException) -> bool:
    """Whether `error` is a clash with another transaction, or with a migration: repeat the whole transaction."""
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return True
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _CONFLICT_STATES


def is_of_another_version(error: BaseException) -> bool:
    """Whether `error` says that the tables are not this program's: a migration has passed it by."""
    return isinstance(error, asyncpg.UndefinedColumnError | asyncpg.UndefinedTableError)


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list a column, as `unnest` takes a set; of none there are no columns. For many rows see `arrays`."""
    return [list(column) for column in zip(*rows, strict=True)]


class Queries:
    """Queries by name, as attributes."""

    def __init__(self, texts: dict[str, str], place: str) -> None:
        self._texts = texts
        self._place = place

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"{self._place} has no query {name!r}") from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Name and text of each query, in the order of the file."""
        return iter(self._texts.items())


def load_queries(package: str, file: str = "queries.sql") -> Queries:
    """The queries of a package's file: each begins with a line `-- name: query_name`.

    Raises ValueError when two have one name, or when there is SQL before the first.
    """
    text = (resources.files(package) / file).read_text(encoding="utf-8")
    place = f"{package}/{file}"
    head, *rest = re.split(r"^-- name: *(\w+) *$\n", text, flags=re.MULTILINE)
    if re.sub(r"^--.*$", "", head, flags=re.MULTILINE).strip():
        raise ValueError(f"{place} has SQL before the first `-- name:` line")
    names, bodies = rest[::2], rest[1::2]
    twice = _repeated(names)
    if twice:
        raise ValueError(f"{place} has two queries of one name: {', '.join(twice)}")
    return Queries({name: body.strip() for name, body in zip(names, bodies, strict=True)}, place)


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
