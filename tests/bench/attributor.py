"""The attributor's throughput: won deals with long journeys, beside storing the same rows without deciding anything."""

import asyncio
import io
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import uvloop

from attributor.crediting import Crediting
from schemas.codec import encode
from schemas.credit import MODELS
from services.runtime.migrate import migrate
from services.runtime.postgres import Database, connect
from tests.bench.identity import deliveries, let_pass, resolve
from tests.bench.measuring import Bench, Contender, Finding, Row, Sample, alternate, cpu_each, rate_per_core
from tests.bench.traffic import customer, won
from tests.builders import ID_KEY, JANUARY, RULES
from tests.conftest import fresh_database

BATCH = 500
TOUCHES = 20
DEALS_EACH = 2
DEALS_A_CORE = 2_000
"""So many are to be credited in a second of one core."""
TABLES = ("deal_events", "deals", "entries", "credits")


def measure(bench: Bench) -> list[Row | Finding]:
    """Won deals credited, twenty touches each, under all built-in models."""
    with fresh_database(bench.dsn, "") as dsn:
        asyncio.run(migrate(dsn, bench.tell))
        return uvloop.run(_measure(bench, dsn))


async def _measure(bench: Bench, dsn: str) -> list[Row | Finding]:
    rng = random.Random(bench.seed)
    emails = [f"customer{number}@customer.example" for number in range(bench.scale.customers)]
    visits = [encode(event) for email in emails for event in customer(rng, email, TOUCHES, JANUARY)]
    deals = [
        [encode(won(rng, email, JANUARY + timedelta(days=number))) for email in emails * DEALS_EACH]
        for number in range(bench.scale.rounds)
    ]
    async with connect(dsn, application="bench") as database:
        await resolve(database, visits, BATCH)
        await database.execute("VACUUM ANALYZE")
        bench.tell(f"{len(emails):,} customers with {TOUCHES} touches each")
        copying = Copying(database)
        await copying.make_tables()
        credited, copied = await alternate(
            bench,
            Contender(what := f"won deals of {TOUCHES} touches credited", os.getpid(), crediting(database, deals)),
            Contender("COPY", os.getpid(), copying.run, copying.prepare),
        )
        await check_credited(database, sum(map(len, deals)))
    return [Row(what, credited, "COPY of the same rows, nothing decided", copied), rate_of_a_core(what, credited)]


def rate_of_a_core(what: str, credited: Sequence[Sample]) -> Finding:
    """Deals for each CPU second of the consumer; what Postgres needs for them stands beside."""
    rate, (service, postgres) = rate_per_core(credited), cpu_each(credited)
    costs = f"{service * 1e6:,.0f} us each, of Postgres {postgres * 1e6:,.0f} us"
    return Finding(
        f"{what}, {len(MODELS)} models, a second and core",
        f"{rate:,.0f}: {costs}",
        f"{DEALS_A_CORE:,}",
        rate >= DEALS_A_CORE,
    )


def crediting(database: Database, rounds: Sequence[Sequence[bytes]]) -> Callable[[int], Awaitable[int]]:
    """What credits the deals of a round."""
    attributor = Crediting(database, ID_KEY, RULES)

    async def run(number: int) -> int:
        for start in range(0, len(rounds[number]), BATCH):
            await attributor.handle(deliveries(rounds[number][start : start + BATCH]), let_pass)
        return len(rounds[number])

    return run


class Copying:
    """Stores again, in tables of the same form, what the attributor has just stored, and as it does: by COPY."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batches: list[dict[str, bytes]] = []

    async def make_tables(self) -> None:
        await self._database.execute("CREATE SCHEMA again")
        for table in TABLES:
            await self._database.execute(f"CREATE TABLE again.{table} (LIKE state.{table} INCLUDING ALL)")

    async def prepare(self, _number: int) -> None:
        """Read the rows of all deals that are not stored again yet, batch by batch."""
        new = await self._database.fetch("SELECT deal_id FROM state.deals EXCEPT SELECT deal_id FROM again.deals")
        deals = sorted(row["deal_id"] for row in new)
        self._batches = [await self._rows_of(deals[start : start + BATCH]) for start in range(0, len(deals), BATCH)]
        self._count = len(deals)

    async def run(self, _number: int) -> int:
        for batch in self._batches:
            async with self._database.transaction() as connection:
                for table, rows in batch.items():
                    await connection.copy_to_table(table, schema_name="again", source=io.BytesIO(rows), format="text")
        return self._count

    async def _rows_of(self, deals: Sequence[str]) -> dict[str, bytes]:
        """By table their rows as COPY writes and reads them."""
        rows = {table: io.BytesIO() for table in TABLES}
        async with self._database.connection() as connection:
            for table, text in rows.items():
                query = f"SELECT * FROM state.{table} WHERE deal_id = ANY ($1::text[])"
                await connection.copy_from_query(query, deals, output=text, format="text")
        return {table: text.getvalue() for table, text in rows.items()}


async def check_credited(database: Database, deals: int) -> None:
    """Raises RuntimeError when a deal was not credited to all of its touches."""
    credited = await database.fetchval("SELECT count(*) FROM entries WHERE touches = $1", TOUCHES)
    if credited != deals:
        raise RuntimeError(f"{credited:,} of {deals:,} deals have the {TOUCHES} touches that they should have")
