"""The whole ledger credited anew: as after an upgrade that brings a model, by two attributors as they are deployed.

Nobody waits for a hundred thousand deals to be heard of first: a thousand are heard of and credited by the product, and
copied in the database under other names. What that makes is what the attributor would have made, which it is asked.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import uvloop

from attributor.crediting import Crediting
from schemas.codec import encode
from schemas.topics import ATTRIBUTOR
from services.runtime.open_log import open_log
from services.runtime.postgres import Database, connect
from services.runtime.settings import Settings
from tests.bench.attributor import crediting
from tests.bench.history import COPY_SECONDS, IDS, NAME, add_copies
from tests.bench.identity import BATCH, migrated_database, resolve
from tests.bench.measuring import Bench, Contender, Finding, Row, sample
from tests.bench.processes import free_port, service
from tests.bench.traffic import customer, won
from tests.builders import ID_KEY, JANUARY, RULES
from tests.conftest import make_settings

HEARD = 1_000
"""Deals that are heard of; the others are their copies."""
LONGEST = 9
"""Touches of a journey: from one on, five on average."""
SECONDS = 120
"""For a hundred thousand deals on two cores."""
TRIED = 500
"""Deals of which the copies are compared, and that the baseline credits one by one."""
MODEL = '{"ours": {"first": "1/2", "others": "1/2"}}'
OPS_PLACE = 2
"""The attributor's health is told on the port so far behind the first."""
PATIENCE_SECONDS, LOOK_SECONDS, TOLD_EVERY_SECONDS = 900.0, 0.1, 10.0

_NAMES = f"""ARRAY(SELECT {"n || '-' || old.name"} FROM unnest(t.{{0}}) WITH ORDINALITY AS old (name, place) ORDER BY place)"""
LEDGER = {
    "deal_events": (versions := {"event_id": NAME, "deal_id": NAME, "contacts": IDS}),
    "deals": versions,
    "entries": {"deal_id": NAME, "visitor_id": _NAMES, "touch_id": _NAMES},
    "credits": {"deal_id": NAME},
}
"""The attributor's tables, and what stands in a copy instead of their columns."""

NOTE = """INSERT INTO notes (consumer_group, kind, key)
SELECT 'attributor', 'deal', jsonb_build_array(provider, deal_id, 'rules changed')::text
FROM entries WHERE superseded_at IS NULL"""
"""That every deal is to be credited anew: the words of the migration that brought models."""


def measure(bench: Bench) -> list[Row | Finding]:
    """All deals at once by two attributors, beside one deal after the other."""
    with migrated_database(bench) as dsn:
        return uvloop.run(_measure(bench, dsn))


async def _measure(bench: Bench, dsn: str) -> list[Row | Finding]:
    deals = bench.scale.recomputed
    async with connect(dsn, application="bench", statement_seconds=COPY_SECONDS) as database:
        await fill(bench, database, deals)
        settings = make_settings(dsn, bench.folder, models=MODEL)
        async with open_log(settings), two_attributors(settings) as pids:
            ours = await sample(Contender("", pids[0], recompute(bench, database), others=pids[1:]), bench.folder, 0)
        await check(database, deals, "ours", 2)
        theirs = await sample(Contender("", os.getpid(), one_by_one(database)), bench.folder, 0)
    what = f"all {deals:,} deals credited anew for one more model, by two attributors"
    goal = SECONDS * deals / 100_000
    return [
        Row(what, [ours], "deal by deal", [theirs]),
        Finding(what, f"{ours.seconds:.0f} s", f"under {goal:.0f} s", ours.seconds < goal),
    ]


async def fill(bench: Bench, database: Database, deals: int) -> None:
    """The ledger of so many deals, under the rules before, of as many people. Raises RuntimeError when copies are wrong."""
    rng, emails = random.Random(bench.seed), [f"customer{number}@customer.example" for number in range(HEARD)]
    visits = [customer(rng, email, 1 + number % LONGEST, JANUARY) for number, email in enumerate(emails)]
    await resolve(database, [encode(event) for events in visits for event in events], BATCH)
    await crediting(database, [[encode(won(rng, email, JANUARY + timedelta(hours=1))) for email in emails]])(0)
    await database.execute("DELETE FROM notes")
    bench.tell(f"{HEARD:,} deals credited; to {deals:,} by copying, which takes a minute")
    await add_copies(database, range(1, deals // HEARD), LEDGER)
    await database.execute("VACUUM ANALYZE")
    await database.execute(f"{NOTE} AND deal_id LIKE '1-%' LIMIT {TRIED}")
    await work_off(Crediting(database, ID_KEY, RULES))
    await check(database, deals, "first_touch", 1)


async def check(database: Database, deals: int, model: str, version: int) -> None:
    """Raises RuntimeError unless so many deals have credits under a model, all in entries of this version."""
    credited = await database.fetchval(
        """SELECT count(*) FROM entries e JOIN credits c USING (provider, deal_id, version)
        WHERE superseded_at IS NULL AND model = $1 AND version = $2 AND e.touch_id[1] IS NOT NULL""",
        model,
        version,
    )
    if credited != deals:
        raise RuntimeError(f"{credited:,} of {deals:,} deals have an entry {version} with credits under {model}")


@asynccontextmanager
async def two_attributors(settings: Settings) -> AsyncIterator[Sequence[int]]:
    """The processes of two attributors, which are ready, and whose rules have a model more."""
    ports = [free_port(), free_port()]
    several = [settings.model_copy(update={"ops_port": port - OPS_PLACE}) for port in ports]
    with (
        service(ATTRIBUTOR, several[0], ports[0], ports[0]) as first,
        service(ATTRIBUTOR, several[1], ports[1], ports[1]) as second,
    ):
        yield first.pid, second.pid


def recompute(bench: Bench, database: Database) -> Callable[[int], Awaitable[int]]:
    """What has all deals credited anew by those who run, and waits until they are."""

    async def run(_: int) -> int:
        deals = int((await database.execute(NOTE)).rpartition(" ")[2])
        deadline, tell = time.monotonic() + PATIENCE_SECONDS, time.monotonic() + TOLD_EVERY_SECONDS
        while await database.fetchval("SELECT EXISTS (SELECT FROM notes)"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all deals are credited anew after {PATIENCE_SECONDS:.0f} s")
            if time.monotonic() > tell:
                tell += TOLD_EVERY_SECONDS
                left = await database.fetchval("SELECT count(*) FROM notes")
                bench.tell(f"{deals - left:,} of {deals:,} deals credited anew")
            await asyncio.sleep(LOOK_SECONDS)
        return deals

    return run


def one_by_one(database: Database) -> Callable[[int], Awaitable[int]]:
    """What credits some deals anew for yet another model, each by a note and a transaction of its own."""
    attributor = Crediting(database, ID_KEY, replace(RULES, models=MODEL.replace("ours", "theirs")))

    async def run(_: int) -> int:
        deals = await database.fetch("SELECT deal_id FROM entries WHERE superseded_at IS NULL LIMIT $1", TRIED)
        for deal in deals:
            await database.execute(f"{NOTE} AND deal_id = $1", deal["deal_id"])
            await work_off(attributor)
        return len(deals)

    return run


async def work_off(attributor: Crediting) -> None:
    """Until no note is left."""
    while await attributor.work_notes():
        pass
