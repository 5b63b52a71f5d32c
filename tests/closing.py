"""Identity and attributor on a real database, driven by hand: batches, crashes and notes as a test wants them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any
from zlib import crc32

from attributor import store as attributor_store
from attributor.crediting import Crediting, fact_of
from identity import fact_store
from identity.facts import facts_of
from identity.resolver import Resolver
from identity.settling import settle_leads
from schemas.deal import DealEvent
from schemas.topics import key_of
from services.reports.digest import PARTS
from services.runtime.delivering import Delivery
from services.runtime.postgres import Connection, Database, PostgresError, is_conflict
from tests.builders import ID_KEY, RULES, delivery
from tests.reference import Rows
from tests.rewriting import REWRITES_LEDGER

TABLES = (
    *("identifiers", "pairs", "visitors", "hits", "carriers", "visits", "notes"),
    *("statements", "cuts", "offline_touches"),
    *("deal_events", "deals", "entries", "credits"),
)


class Crash(Exception):
    """The process dies here."""


async def commits(_: Connection) -> None:
    """A fence that lets the batch through."""


async def crashes(_: Connection) -> None:
    """A fence that is never reached alive."""
    raise Crash


class Loop:
    """One identity consumer and one attributor."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.identity = Resolver(database, ID_KEY, ())
        self.attributor = Crediting(database, ID_KEY, RULES)

    async def empty(self) -> None:
        """As if nothing had ever been logged."""
        await self.database.execute(f"{REWRITES_LEDGER}TRUNCATE {', '.join(TABLES)}")

    async def take(self, *payloads: dict[str, Any]) -> None:
        """Hand both consumers these events, each in a batch of its own, and work off all notes."""
        for payload in payloads:
            await self.handle([delivery(payload)])
        await self.settle()

    async def handle(self, batch: Sequence[Delivery], fence: Callable[[Connection], Awaitable[None]] = commits) -> None:
        """One batch through both; the notes stay."""
        await self.identity.handle(batch, fence)
        await self.attributor.handle([each for each in batch if each.topic == "deals"], fence)

    async def settle(self) -> None:
        """Work off notes until nobody has any."""
        while await self.work_notes(self.identity) or await self.work_notes(self.attributor):
            pass

    async def work_notes(self, consumer: Resolver | Crediting) -> bool:
        """Work off some notes; a clash with another consumer is tried again, as consumers do."""
        try:
            return await consumer.work_notes()
        except PostgresError as error:
            if not is_conflict(error):
                raise
            return True


async def present(database: Database) -> Rows:
    """The rows that the digest is taken of, by part; shares as numbers."""
    parts = {name: [tuple(row) for row in await database.fetch(query)] for name, query in PARTS}
    parts["credits"] = [(*row[:-1], [float(share) for share in row[-1]]) for row in parts["credits"]]
    return parts


def differences(found: Rows, expected: Rows) -> list[str]:
    """What is there and should not be, and the other way round, a line each."""
    return [
        f"{sign} {part}: {row!r}"
        for part in expected
        for sign, rows, others in (
            ("unexpected", found[part], expected[part]),
            ("missing", expected[part], found[part]),
        )
        for row in rows
        if row not in others
    ]


SMALL = (1, 3, 15)
"""How many events the longest batch of a consumer may have, one of these."""


async def play(loop: Loop, log: Sequence[Delivery], random: Random, longest: Sequence[int] = SMALL) -> None:
    """Both consumers read the log, each at its own pace: in random batches, with crashes, and notes worked off between.

    A crash leaves behind what the steps before it had committed; then the log is read again from the same place, in
    other batches.
    """
    readers = [_read(loop, step, log, random, longest) for step in (_identity_step, _attributor_step)]
    while readers:
        reader = random.choice(readers)
        if await anext(reader, None) is None:
            readers.remove(reader)
    await loop.settle()


async def play_together(
    loops: Sequence[Loop], log: Sequence[Delivery], random: Random, longest: Sequence[int] = SMALL, partitions: int = 4
) -> None:
    """The same at the same time: each loop has partitions of its own, and all have the database."""

    async def run(reader: AsyncIterator[bool]) -> None:
        async for _ in reader:
            pass

    share_of = [crc32(key_of(each.event)) % partitions % len(loops) for each in log]
    shares = [
        [each for each, share in zip(log, share_of, strict=True) if share == place] for place in range(len(loops))
    ]
    await asyncio.gather(
        *(
            run(_read(loop, step, share, Random(random.random()), longest))
            for loop, share in zip(loops, shares, strict=True)
            for step in (_identity_step, _attributor_step)
        )
    )
    await asyncio.gather(*(loop.settle() for loop in loops))
    await loops[0].settle()


Step = Callable[[Loop, Sequence[Delivery], Random], Awaitable[bool]]


async def _read(
    loop: Loop, step: Step, log: Sequence[Delivery], random: Random, longest: Sequence[int]
) -> AsyncIterator[bool]:
    """One consumer, step by step: whether each went through. A clash with another one is repeated, as consumers do."""
    place, most = 0, random.choice(longest)
    while place < len(log):
        batch = log[place : place + random.randint(1, most)]
        try:
            handled = await step(loop, batch, random)
        except PostgresError as error:
            if not is_conflict(error):
                raise
            handled = False
        for _ in range(random.choice([0, 0, 1, 3])):
            await loop.work_notes(random.choice([loop.identity, loop.attributor]))
        place += len(batch) if handled else 0
        yield handled


async def _identity_step(loop: Loop, batch: Sequence[Delivery], random: Random) -> bool:
    """One batch, to its end or up to a crash; answers whether it was handled."""
    fate = random.choice(["handled", "handled", "facts alone", "facts and leads", "rolled back"])
    if fate in {"facts alone", "facts and leads"}:
        facts = facts_of(((each.event, each.body) for each in batch), ID_KEY, ())
        numbers = await fact_store.add_facts(loop.database, facts)
    if fate == "facts and leads":
        concerned = await fact_store.concerned_statements(loop.database, facts)
        await settle_leads(loop.database, facts, numbers, concerned.cuts)
    if fate == "rolled back":
        with suppress(Crash):
            await loop.identity.handle(batch, crashes)
    if fate == "handled":
        await loop.identity.handle(batch, commits)
    return fate == "handled"


async def _attributor_step(loop: Loop, batch: Sequence[Delivery], random: Random) -> bool:
    deals = [each for each in batch if each.topic == "deals"]
    fate = random.choice(["handled", "handled", "facts alone", "rolled back"])
    if fate == "facts alone":
        facts = [
            fact_of(each.event, each.body, ID_KEY, RULES.zone) for each in deals if isinstance(each.event, DealEvent)
        ]
        if facts:
            await attributor_store.add_deal_events(loop.database, facts)
    if fate == "rolled back":
        with suppress(Crash):
            await loop.attributor.handle(deals, crashes)
    if fate == "handled":
        await loop.attributor.handle(deals, commits)
    return fate == "handled"
