"""Dead letters once more, after a fix: the state is then what it would have been without the fault."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from attributor.crediting import Crediting
from identity.resolver import Resolver
from schemas.codec import encode
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime.postgres import connect
from services.runtime.retrying import CHUNK
from services.runtime.settings import Settings
from tests.builders import at, deal, form, page
from tests.closing import differences, present
from tests.faulty import SERVICES, Site, consuming, crediting, open_site, resolver, until
from tests.histories import make_history
from tests.reference import present_state


@pytest.fixture
async def site(dsn: str, tmp_path: Path, settings_for: Callable[..., Settings]) -> AsyncIterator[Site]:
    async with open_site(settings_for(dsn, tmp_path)) as site:
        yield site


async def differs(site: Site, events: list) -> list[str]:
    return differences(await present(site.database), present_state(events))


FORM = form("v1", "e2", at("09:05"), "ann@x.org", user_id="7")
WON = deal("D-1", "d1", at("12:00"), contacts=[{"email": "ann@x.org"}])
EVENTS = [
    page("v1", "e1", at("09:00")),
    FORM,
    page("v1", "e3", at("15:00")),
    WON,
    form("v2", "e4", at("10:00"), "bob@x.org"),
]

FAULTS = [
    pytest.param("hits", "NEW.event_id = 'e2'", IDENTITY, id="while facts are stored"),
    pytest.param("pairs", "NEW.settled", IDENTITY, id="after facts were stored: their pair is unsettled"),
    pytest.param(
        "visits",
        "NEW.identified IS NOT NULL AND NEW.touch_id = 'e1'",
        IDENTITY,
        id="after leads were settled",
    ),
    pytest.param("deal_events", "NEW.deal_id = 'D-1'", ATTRIBUTOR, id="while a deal is stored"),
    pytest.param("entries", "NEW.deal_id = 'D-1'", ATTRIBUTOR, id="after a deal was stored"),
]


@pytest.mark.parametrize(("table", "when", "group"), FAULTS)
async def test_a_retry_after_the_fix_mends_what_any_step_has_left(
    site: Site, table: str, when: str, group: str
) -> None:
    await site.fail_on(table, when)
    await site.append(*EVENTS)
    async with consuming(site):
        await site.caught_up(group, failing=True)
        letters = await site.letters(group)
        assert encode(EVENTS[1] if group == IDENTITY else WON) in {letter["value"] for letter in letters}
        again = await site.retry()
        assert (again.done, again.failed) == (0, {"handler_failed": len(letters)})
        await site.mend(table)
        assert (await site.retry()).done == len(letters)
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    assert await site.letters() == []
    assert await differs(site, EVENTS) == []


@pytest.mark.parametrize("counts", ["earlier", "later"])
async def test_of_two_records_with_one_event_id_the_first_counts_also_when_it_was_put_aside(
    site: Site, counts: str
) -> None:
    earlier = page("v1", "e1", at("09:00"), url="https://shop.example/?gclid=x1")
    later = page("v1", "e1", at("11:00"), url="https://shop.example/?gclid=x2")
    url = (earlier if counts == "earlier" else later)["url"]
    await site.fail_on("hits", f"NEW.url = '{url}'")
    await site.append(earlier, later)
    async with consuming(site):
        await site.caught_up(IDENTITY)
        await site.mend("hits")
        assert (await site.retry()).done == 1
        await site.caught_up(IDENTITY)
    assert await differs(site, [earlier, later]) == []


async def test_what_cannot_be_read_stays_with_its_tries_and_one_that_fails_does_not_keep_the_others(site: Site) -> None:
    await site.fail_on("hits", "NEW.event_id LIKE 'e%'")
    events = [page("v1", f"e{number}", at(f"10:{number:02}")) for number in range(30)]
    await site.append(*events)
    await site.append_bytes(b"poison")
    async with consuming(site):
        await site.caught_up(IDENTITY)
    await site.mend("hits")
    await site.fail_on("hits", "NEW.event_id = 'e17'")
    outcome = await site.retry()
    assert (outcome.done, outcome.failed) == (29, {"handler_failed": 1, "invalid_json": 1})
    assert {each["reason"]: each["tries"] for each in await site.letters()} == {"handler_failed": 2, "invalid_json": 2}


async def test_a_dry_run_reads_and_changes_nothing(site: Site) -> None:
    await site.fail_on("hits", "NEW.event_id = 'e1'")
    await site.append(page("v1", "e1", at("10:00")))
    await site.append_bytes(b"poison")
    async with consuming(site):
        await site.caught_up(IDENTITY)
    before = await site.letters()
    outcome = await site.retry(dict.fromkeys(SERVICES))
    assert (outcome.done, outcome.failed) == (1, {"invalid_json": 1})
    assert await site.letters() == before


async def test_two_who_retry_at_once_give_each_record_its_effects_once(site: Site) -> None:
    await site.fail_on("hits", "true")
    events = [page(f"v{number % 3}", f"e{number}", at("10:00")) for number in range(45)]
    await site.append(*events)
    async with consuming(site):
        await site.caught_up(IDENTITY)
    await site.mend("hits")
    outcomes = await asyncio.gather(site.retry(), site.retry())
    assert sum(outcome.done for outcome in outcomes) == len(events)
    assert await site.letters() == []
    assert await differs(site, events) == []


async def test_a_retry_waits_while_others_are_in_the_way_and_tells_so(site: Site, monkeypatch) -> None:
    await site.fail_on("hits", "true")
    await site.append(event := page("v1", "e1", at("10:00")))
    async with consuming(site):
        await site.caught_up(IDENTITY)
    await site.mend("hits")
    monkeypatch.setattr("services.runtime.postgres.LOCK_SECONDS", 0.1)
    waits: list[str] = []
    async with connect(site.dsn, application="impatient") as database, AsyncExitStack() as lock:
        connection = await lock.enter_async_context(site.database.transaction())
        await connection.execute("LOCK TABLE hits")
        site.database, locked = database, site.database
        retrying = asyncio.create_task(site.retry(tell=lambda _, waiting: waits.append(waiting)))
        await until(lambda: asyncio.sleep(0, len(waits) > 0))
        await lock.aclose()
        assert (await retrying).done == 1
        site.database = locked
    assert waits[0].startswith("waiting: LockNotAvailableError")
    assert await differs(site, [event]) == []


class Flaky:
    """A service that fails on some events, before or after it has done its work."""

    def __init__(self, service: Resolver | Crediting, bad: set[str], early: bool) -> None:
        self.service = service
        self.bad = bad
        self.early = early

    async def handle(self, batch, fence):
        fails = any(delivery.event.event_id in self.bad for delivery in batch)
        if fails and self.early:
            raise KeyError("a record that this program cannot take")
        await self.service.handle(batch, refuse if fails else fence)

    async def work_notes(self):
        return await self.service.work_notes()


async def refuse(_connection) -> None:
    raise KeyError("a record that this program cannot take")


@pytest.mark.parametrize("seed", range(4))
async def test_with_any_records_put_aside_and_retried_beside_running_services_the_law_holds(
    site: Site, seed: int
) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    history = make_history(random, 60)
    bad = {event["event_id"] for event in history if random.random() < 0.25}
    rest = history[40:]
    await site.append(*history[:40])
    flaky = {
        IDENTITY: lambda database: Flaky(resolver(database), bad, random.random() < 0.5),
        ATTRIBUTOR: lambda database: Flaky(crediting(database), bad, random.random() < 0.5),
    }
    async with consuming(site, flaky):
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    letters = len(await site.letters())
    assert letters > 0
    async with consuming(site):
        _, outcome = await asyncio.gather(site.append(*rest), site.retry())
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    assert (outcome.done, await site.letters()) == (letters, [])
    assert await differs(site, history) == []


async def test_more_letters_than_one_chunk_are_all_retried(site: Site) -> None:
    await site.fail_on("hits", "NEW.event_id <> 'good'")
    events = [
        page("v1", "good" if number % 9 == 0 else f"e{number}", at(f"10:{number % 60:02}")) for number in range(90)
    ]
    await site.append(*events)
    async with consuming(site):
        await site.caught_up(IDENTITY)
    await site.mend("hits")
    letters = len(await site.letters())
    assert letters > CHUNK
    assert (await site.retry()).done == letters
    assert await differs(site, events) == []
