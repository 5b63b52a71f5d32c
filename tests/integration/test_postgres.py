"""The pool on a real Postgres: what a session is like, and what becomes of it when the server goes away."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from services.runtime.arrays import arrays
from services.runtime.copying import array, copy_rows
from services.runtime.postgres import columns, connect, is_outage
from services.runtime.settings import SettingsError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("search_path", "state, log"),
        ("TimeZone", "UTC"),
        ("statement_timeout", "7s"),
        ("default_transaction_isolation", "read committed"),
        ("synchronous_commit", "on"),
        ("enable_seqscan", "off"),
    ],
)
async def test_every_session_is_set_up_alike_whatever_the_servers_own_settings(dsn, setting, value):
    async with connect(dsn, application="operator") as operator:
        name = await operator.fetchval("SELECT quote_ident(current_database())")
        for choice in ("synchronous_commit = off", "default_transaction_isolation = 'repeatable read'"):
            await operator.execute(f"ALTER DATABASE {name} SET {choice}")
    async with connect(dsn, application="test", size=3, statement_seconds=7) as database:
        questions = [database.fetchval("SELECT current_setting($1) FROM pg_sleep(0.05)", setting) for _ in range(3)]
        assert await asyncio.gather(*questions) == [value] * 3


TEXTS = [
    "",
    "NULL",
    "null",
    "\\N",
    "\\",
    "\\.",
    "a\tb",
    "a\nb",
    "a\r",
    '"',
    '\\"',
    "{a,b}",
    "\x01",
    "\u2028\U0001f600",
    " a ",
    "ä",
]


ROWS = [
    (UUID(int=1), "", None, True, -(2**63), 0, date(1, 1, 1), Decimal("1E-20"), datetime.max.replace(tzinfo=UTC)),
    *((UUID(int=2), text, None, None, 2**63 - 1, None, date(9999, 12, 31), None, None) for text in TEXTS),
    (None, None, None, False, 0, 7, None, Decimal(12), datetime(1, 1, 1, tzinfo=UTC)),
    (None, "NULL", None, False, None, -7, None, Decimal("NaN"), datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)),
]
KINDS = ("uuid", "text", "uuid", "boolean", "bigint", "integer", "date", "numeric", "timestamptz")


async def test_rows_that_go_in_as_arrays_are_there_as_asyncpgs_own_are(dsn):
    """As Postgres writes them: asyncpg reads an infinity as it reads the last instant."""

    def parameters(read_as: str) -> str:
        return ", ".join(f"${at}::{'' if kind == 'uuid' else read_as}{kind}[]" for at, kind in enumerate(KINDS, 1))

    async with connect(dsn, application="test") as database:
        rows = await database.fetch(f"SELECT t::text, t.* FROM unnest({parameters('text::')}) AS t", *arrays(ROWS))
        own = await database.fetch(f"SELECT t::text, t.* FROM unnest({parameters('')}) AS t", *columns(ROWS))
    assert list(map(repr, rows)) == list(map(repr, own))
    assert [row[1:3] for row in map(tuple, rows)] == [row[:2] for row in ROWS]


async def test_what_is_copied_as_text_comes_back_as_it_was(dsn):
    times = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    shares = [0.1, 1 / 3, 5e-324, 1.0, 0.0]
    rows = [(text, None, 2**63 - 1, times[0], [text, None], [0, -1], times, shares) for text in TEXTS]
    names = ("text", "nothing", "number", "time", "texts", "numbers", "times", "shares")
    kinds = ("text", "text", "bigint", "timestamptz", "text[]", "bigint[]", "timestamptz[]", "double precision[]")
    async with connect(dsn, application="test") as database, database.transaction() as connection:
        listed = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
        await connection.execute(f"CREATE TABLE copied ({listed})")
        cells = [[array(cell) if isinstance(cell, list) else cell for cell in row] for row in rows]
        await copy_rows(connection, "copied", names, cells)
        assert [tuple(row) for row in await connection.fetch("SELECT * FROM copied")] == rows


async def test_a_transaction_that_raises_leaves_nothing(database):
    async def fail():
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO visitors VALUES ('v')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await database.fetch("SELECT * FROM visitors") == []


async def test_only_a_transaction_that_may_be_lost_does_not_wait_for_the_disk(database):
    async with database.transaction(durable=False) as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "off"
    async with database.transaction() as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"


async def test_a_pool_for_reading_cannot_write(dsn):
    async with connect(dsn, application="test", read_only=True) as database:
        with pytest.raises(Exception, match="read-only"):
            await database.execute("INSERT INTO visitors VALUES ('v')")


async def test_two_pools_never_have_one_name(dsn):
    async with connect(dsn, application="same") as one, connect(dsn, application="same") as other:
        assert one.application != other.application
        assert await one.fetchval("SHOW application_name") == one.application


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda dsn: dsn.replace("/test_", "/no_test_"), "InvalidCatalogNameError", id="no such database"),
        pytest.param(
            lambda dsn: dsn.replace("://closedloop:", "://closedloop:wrong"), "InvalidPassword", id="password"
        ),
        pytest.param(lambda dsn: "mysql://elsewhere/", "ClientConfigurationError", id="no address of Postgres"),
    ],
)
async def test_an_address_that_will_never_work_is_one_line_that_names_the_setting(dsn, change, reason):
    with pytest.raises(SettingsError, match=f"CLOSEDLOOP_DATABASE_URL does not work: {reason}"):
        async with connect(change(dsn), application="test"):
            pass


async def test_a_pool_waits_for_postgres_to_start_and_heals_when_it_restarts(own_postgres, caplog):
    await asyncio.to_thread(own_postgres.stop)

    async def open_and_ask():
        async with connect(own_postgres.dsn, application="test") as database:
            before = await database.fetchval("SELECT 1")
            await asyncio.to_thread(own_postgres.stop, 0)
            with pytest.raises(Exception, match=r".") as outage:
                await database.fetchval("SELECT 1")
            assert is_outage(outage.value)
            await asyncio.to_thread(own_postgres.start)
            return before, await database.fetchval("SELECT 2")

    asking = asyncio.create_task(open_and_ask())
    await asyncio.sleep(0.5)
    assert "Postgres does not answer" in caplog.text
    await asyncio.to_thread(own_postgres.start)
    assert await asking == (1, 2)
