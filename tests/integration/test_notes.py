"""Notes: worked off in chunks of bounded size; one that always fails is put off, and the others flow."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from attributor import crediting as crediting_module
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime.notes import failing_notes, work_off
from services.runtime.postgres import Connection, Database
from services.runtime.settings import Settings
from tests.builders import at, deal, form, page
from tests.closing import Loop, differences, present
from tests.faulty import Site, consuming, open_site, until
from tests.reference import present_state

LEAVE = "INSERT INTO notes (consumer_group, kind, key) SELECT 'g', 'visitor', key FROM unnest($1::text[]) AS t (key)"


@pytest.fixture
async def site(dsn: str, tmp_path: Path, settings_for: Callable[..., Settings]) -> AsyncIterator[Site]:
    async with open_site(settings_for(dsn, tmp_path)) as site:
        yield site


class Worker:
    """Works off the notes of one group; fails on some keys, as a program with an error does."""

    def __init__(self, database: Database, bad: Sequence[str] = (), statement: str = "SELECT 1/0") -> None:
        self.database = database
        self.bad = set(bad)
        self.statement = statement
        self.done: list[str] = []

    async def work(self, connection: Connection, notes: Sequence[Note]) -> None:
        keys = [note.key for note in notes]
        if self.bad & set(keys):
            await connection.execute(self.statement)
        self.done += keys

    async def chunk(self, limit: int = 8) -> bool:
        return await work_off(self.database, "g", (NoteKind.visitor,), limit, self.work)

    async def all(self) -> None:
        while await self.chunk():
            pass


def keys(count: int) -> list[str]:
    return [f"v{number:02}" for number in range(count)]


@pytest.mark.parametrize("bad", [["v00"], ["v07"], ["v03", "v04", "v19"], keys(20)], ids=len)
async def test_notes_that_fail_are_put_off_and_all_others_are_worked_off_once(
    database: Database, bad: list[str]
) -> None:
    await database.execute(LEAVE, keys(20))
    worker = Worker(database, bad)
    await worker.all()
    assert sorted(worker.done) == sorted(set(keys(20)) - set(bad))
    assert [row["key"] for row in await database.fetch("SELECT key FROM notes ORDER BY key")] == bad
    assert await failing_notes(database, "g") == len(bad)
    assert await failing_notes(database, "another") == 0


async def test_a_failing_note_is_tried_again_after_growing_pauses_and_goes_when_it_works(database: Database) -> None:
    await database.execute(LEAVE, ["v1"])
    worker = Worker(database, ["v1"])
    pauses = []
    for _ in range(12):
        assert await worker.chunk()
        assert not await worker.chunk(), "not before its time"
        pauses.append(await database.fetchval("SELECT due_at - clock_timestamp() FROM notes"))
        await database.execute("UPDATE notes SET due_at = '-infinity'")
    assert [round(pause / timedelta(seconds=2)) for pause in pauses[:5]] == [1, 2, 4, 8, 16]
    assert max(pauses) <= timedelta(minutes=10)
    worker.bad.clear()
    await worker.all()
    assert (worker.done, await failing_notes(database, "g")) == (["v1"], 0)


SETBACKS = [
    pytest.param("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$", id="a conflict"),
    pytest.param("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$", id="a full disk"),
    pytest.param("SELECT pg_terminate_backend(pg_backend_pid())", id="a lost connection"),
]


@pytest.mark.parametrize("statement", SETBACKS)
async def test_a_conflict_or_an_outage_is_no_failing_note(database: Database, statement: str) -> None:
    await database.execute(LEAVE, keys(4))
    worker = Worker(database, ["v02"], statement)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await worker.chunk()
    assert await failing_notes(database, "g") == 0
    worker.bad.clear()
    await worker.all()
    assert worker.done == keys(4)


async def test_two_consumers_share_the_notes(database: Database) -> None:
    await database.execute(LEAVE, keys(40))
    workers = [Worker(database, ["v05"]), Worker(database, ["v05"])]
    await asyncio.gather(*(worker.all() for worker in workers))
    assert sorted(workers[0].done + workers[1].done) == sorted(set(keys(40)) - {"v05"})


async def test_a_deal_whose_credits_fail_keeps_no_other_deal_from_its_own(site: Site) -> None:
    deals = [deal(f"D-{number}", f"d{number}", at("12:00"), contacts=[{"email": "ann@x.org"}]) for number in range(9)]
    events = [page("v1", "e1", at("09:00")), form("v1", "e2", at("09:05"), "ann@x.org")]
    async with consuming(site):
        await site.append(*deals)
        await site.caught_up(IDENTITY, ATTRIBUTOR)
        await site.fail_on("entries", "NEW.deal_id = 'D-4'")
        await site.append(*events)
        await site.caught_up(IDENTITY, ATTRIBUTOR, failing=True)
        assert await site.failing(ATTRIBUTOR) == 1
        missing = differences(await present(site.database), present_state(deals + events))
        assert missing
        assert all("D-4" in line for line in missing)
        await site.mend("entries")
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    assert differences(await present(site.database), present_state(deals + events)) == []


async def test_the_deals_of_one_lead_are_credited_a_chunk_a_transaction(loop: Loop, monkeypatch) -> None:
    monkeypatch.setattr(crediting_module, "DEALS_AT_ONCE", 10)
    deals = [deal(f"D-{number}", f"d{number}", at("12:00"), contacts=[{"email": "ann@x.org"}]) for number in range(35)]
    visit = [page("v1", "e1", at("09:00")), form("v1", "e2", at("09:05"), "ann@x.org")]
    await loop.take(*deals)
    await loop.take(*visit)
    assert differences(await present(loop.database), present_state(deals + visit)) == []
    corrected = await loop.database.fetch(
        "SELECT xmin::text, count(*) FROM entries WHERE version = 2 GROUP BY xmin::text"
    )
    assert sorted(row["count"] for row in corrected) == [5, 10, 10, 10]


async def test_a_service_is_unready_while_a_note_fails_and_a_mended_one_tries_it_at_once(site: Site) -> None:
    won = deal("D-1", "d1", at("12:00"), contacts=[{"email": "ann@x.org"}])
    events = [page("v1", "e1", at("09:00")), form("v1", "e2", at("09:05"), "ann@x.org"), won]
    late = page("v1", "e0", at("08:00"), url="https://shop.example/?gclid=x7")
    async with consuming(site) as services:
        await site.append(*events)
        await site.caught_up(IDENTITY, ATTRIBUTOR)
        await site.fail_on("entries", "NEW.deal_id = 'D-1'")
        await site.append(late)
        health = services[ATTRIBUTOR].service.health
        await until(lambda: asyncio.sleep(0, not health.ready))
        assert health.report()["checks"]["notes"]["detail"].startswith("1 fail")
    await site.mend("entries")
    await site.database.execute("UPDATE notes SET due_at = 'infinity'")
    async with consuming(site) as services:
        await site.caught_up(IDENTITY, ATTRIBUTOR)
        health = services[ATTRIBUTOR].service.health
        await until(lambda: asyncio.sleep(0, health.ready))
    assert differences(await present(site.database), present_state([*events, late])) == []
