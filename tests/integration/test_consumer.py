"""The consumer loop: each record has its effects once, whatever crashes, freezes or cannot be read."""

import asyncio
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.topics import DEALS, EVENTS, TOPICS
from services.runtime import consumer, leases
from services.runtime.consumer import consume
from services.runtime.delivering import FUSE
from services.runtime.embedded_log import open_embedded_log
from services.runtime.lifecycle import Service
from services.runtime.postgres import connect
from services.runtime.settings import Settings, StartError
from tests.integration.consumer_program import STEPS, Effects

PROGRAM = Path(__file__).with_name("consumer_program.py")
TABLES = """
    CREATE TABLE state.facts (topic text, partition int, log_offset bigint, PRIMARY KEY (topic, partition, log_offset));
    CREATE TABLE state.effects (topic text, partition int, log_offset bigint);
"""


@pytest.fixture
async def place(dsn):
    async with open_place(dsn) as place:
        yield place


@asynccontextmanager
async def open_place(dsn):
    """A log and a database to look into, beside those of the consumers under test."""
    async with connect(dsn, application="test") as database, open_embedded_log(dsn) as log:
        await database.execute(TABLES)
        yield Place(dsn, log, database)


class Place:
    def __init__(self, dsn, log, database):
        self.dsn = dsn
        self.log = log
        self.database = database
        self.appended = 0

    async def append(self, count, topic=EVENTS.name):
        """Good records with event ids e0, e1, ... on 20 keys."""
        for number in range(self.appended, self.appended + count):
            await self.append_bytes(f"k{number % 20}".encode(), encode(event(number)), topic)

    async def append_bytes(self, key, value, topic=EVENTS.name):
        await self.log.append(topic, [(key, value)])
        self.appended += 1

    async def places(self, table):
        rows = await self.database.fetch(f"SELECT * FROM {table}")
        return Counter((row["topic"], row["partition"], row["log_offset"]) for row in rows)

    async def logged(self):
        ends = {topic.name: await self.log.ends(topic.name) for topic in TOPICS}
        return {(t, p, o) for t, ps in ends.items() for p, end in enumerate(ps) for o in range(end)}

    async def done(self, seconds=20):
        """Wait until the group `test` has read the log to its end."""

        async def at_the_end():
            read = await self.database.fetchval("SELECT sum(next_offset) FROM positions")
            return read == len(await self.logged())

        await until(at_the_end, seconds)

    async def assert_each_once(self):
        assert await self.places("effects") == Counter(await self.logged())

    async def owners(self):
        rows = await self.database.fetch("SELECT owner, count(*) FROM positions GROUP BY owner")
        return {row["owner"]: row["count"] for row in rows}

    def shared_by(self, counts):
        """The condition that so many partitions are held by as many consumers."""

        async def shared():
            return sorted((await self.owners()).values()) == counts

        return shared

    async def letters(self):
        return await self.database.fetch("SELECT * FROM dead_letters ORDER BY id")


async def until(condition, seconds=10):
    """Wait for what other processes bring about, which sets no event of ours."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


def event(number):
    instant = f"2026-03-01T09:{number // 60 % 60:02}:{number % 60:02}.000000Z"
    return {
        "event_id": f"e{number}",
        "type": "pageview",
        "occurred_at": instant,
        "received_at": instant,
        "visitor_id": f"k{number % 20}",
        "url": "https://shop.example/",
    }


@asynccontextmanager
async def consuming(dsn, make_handler=Effects, topics=TOPICS):
    """A consumer in this process, asked to stop at the end; raises what it raised."""
    service = Service("test", Settings())
    async with connect(dsn, application="consumer") as database, open_embedded_log(dsn) as log:
        service.handler = make_handler(database)
        run = consume([log], database, group="test", topics=topics, handler=service.handler, service=service)
        service.task = asyncio.create_task(run)
        try:
            yield service
        finally:
            service.stopping.set()
            async with asyncio.timeout(10):
                await service.task


@asynccontextmanager
async def program(*arguments):
    """A consumer in a process of its own."""
    process = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_each_record_has_its_effects_once_and_in_the_order_of_its_partition(place):
    await place.append(200)
    await place.append(50, DEALS.name)
    async with consuming(place.dsn) as service:
        await place.done()
        await place.append(30)
        await place.done()
        assert service.health.ready
    await place.assert_each_once()
    rows = await place.database.fetch("SELECT * FROM effects ORDER BY ctid")
    for topic, partition in {(row["topic"], row["partition"]) for row in rows}:
        offsets = [row["log_offset"] for row in rows if (row["topic"], row["partition"]) == (topic, partition)]
        assert offsets == sorted(offsets)


async def test_a_consumer_goes_on_where_the_last_one_stopped(place):
    for _ in range(3):
        await place.append(40)
        async with consuming(place.dsn):
            await place.done()
    await place.assert_each_once()


async def test_two_consumers_share_the_partitions_and_the_one_that_stays_takes_all(place, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.2)
    feeding = asyncio.create_task(place.append(600))
    async with consuming(place.dsn):
        async with consuming(place.dsn):
            await until(place.shared_by([6, 6]))
            shared = await place.database.fetch("SELECT topic, owner, count(*) FROM positions GROUP BY topic, owner")
            assert sorted(row["count"] for row in shared) == [2, 2, 4, 4]
        await until(place.shared_by([12]), seconds=5)
        await feeding
        await place.done()
    assert await place.owners() == {None: 12}
    await place.assert_each_once()


@pytest.mark.parametrize("step", STEPS)
async def test_after_a_crash_between_any_two_steps_the_next_consumer_repairs_it_at_once(place, step):
    await place.append(60)
    async with program(place.dsn, "--die", step) as crashing:
        while crashing.returncode is None:
            await place.append(10)
    assert crashing.returncode == 9
    async with consuming(place.dsn):
        await place.done(seconds=6)
    await place.assert_each_once()


async def test_a_consumer_that_was_cut_off_is_fenced_and_its_writes_roll_back(place, monkeypatch):
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.2)
    await place.append(100)
    async with program(place.dsn, "--freeze", "e99", "--lease", "1") as frozen:
        status = Path(f"/proc/{frozen.pid}/status")
        await until(lambda: asyncio.sleep(0, "T (stopped)" in status.read_text()))
        async with consuming(place.dsn):
            await place.done()
            effects = await place.places("effects")
            frozen.send_signal(signal.SIGCONT)
            await asyncio.sleep(0.5)
            assert await place.places("effects") == effects
            await place.append(50)
            await place.done()
        frozen.send_signal(signal.SIGTERM)
        assert await frozen.wait() == 0
    await place.assert_each_once()


UNREADABLE = [
    pytest.param(b"\xff not json", "invalid_json", id="no JSON"),
    pytest.param(b"[1]", "not_an_event", id="another shape"),
    pytest.param(b'{"v":2,"event":{}}', "unknown_version", id="of a later version"),
    pytest.param(b'{"v":1,"event":{"type":"pageview"}}', "invalid_event", id="an event without its fields"),
    pytest.param(b"", "invalid_json", id="nothing"),
]


@pytest.mark.parametrize(("value", "reason"), UNREADABLE)
async def test_what_cannot_be_read_is_put_aside_with_its_bytes_and_place_and_its_neighbours_flow(place, value, reason):
    await place.append(10)
    await place.append_bytes(b"k5", value)
    await place.append(10)
    async with consuming(place.dsn):
        await place.done()
    (letter,) = await place.letters()
    assert (letter["reason"], letter["value"], letter["log_id"]) == (reason, value, place.log.log_id)
    where = (letter["topic"], letter["partition"], letter["log_offset"])
    assert await place.places("effects") == Counter(await place.logged() - {where})


async def test_a_record_that_is_alone_and_unreadable_is_put_aside_as_well(place):
    await place.append_bytes(b"k", b"poison")
    async with consuming(place.dsn):
        await place.done()
    assert len(await place.letters()) == 1


class Poisoned(Effects):
    """Fails on two of the events, with somebody's address in the message."""

    async def handle(self, batch, fence):
        for delivery in batch:
            if delivery.event.event_id in {"e7", "e23"}:
                raise ValueError("cannot take 'ann@x.example' of ann@x.example")
        await super().handle(batch, fence)


async def test_a_record_that_fails_alone_is_put_aside_and_its_neighbours_flow(place):
    await place.append(60)
    async with consuming(place.dsn, Poisoned):
        await place.done()
        await place.append(10)
        await place.done()
    letters = await place.letters()
    assert [letter["reason"] for letter in letters] == ["handler_failed"] * 2
    assert all(letter["detail"] == "ValueError: cannot take … of …" for letter in letters)
    assert sorted(letter["value"] for letter in letters) == [encode(event(23)), encode(event(7))]
    aside = {(letter["topic"], letter["partition"], letter["log_offset"]) for letter in letters}
    assert await place.places("effects") == Counter(await place.logged() - aside)


class Broken(Effects):
    async def handle(self, batch, fence):
        raise ZeroDivisionError


async def test_a_program_that_fails_on_everything_stops_before_it_puts_the_log_aside(place):
    await place.append(FUSE * 3)
    with pytest.raises(StartError, match="more than 50 records in a row"):
        async with consuming(place.dsn, Broken) as service:
            await asyncio.wait({service.task}, timeout=20)
    assert len(await place.letters()) == FUSE


async def test_a_program_that_can_read_nothing_stops_and_puts_nothing_aside(place):
    for _ in range(FUSE + 10):
        await place.append_bytes(b"k", b'{"v":2,"event":{}}')
    with pytest.raises(StartError, match="unknown_version"):
        async with consuming(place.dsn) as service:
            await asyncio.wait({service.task}, timeout=20)
    assert len(await place.letters()) <= FUSE


class Hindered(Effects):
    """The first statement of its first three tries fails."""

    tries = 0
    statement = ""

    async def handle(self, batch, fence):
        self.tries += 1
        if self.tries <= 3:
            async with self.database.transaction() as connection:
                await connection.execute(self.statement)
        await super().handle(batch, fence)


class Clashing(Hindered):
    """As if another transaction had been in the way."""

    statement = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$"


class Outdated(Hindered):
    """A migration has passed it by: the column has another name now, for a while."""

    statement = "SELECT former_name FROM positions"


@pytest.mark.parametrize("hindered", [Clashing, Outdated])
async def test_a_batch_that_no_record_is_to_blame_for_is_repeated_and_nothing_put_aside(place, hindered):
    await place.append(20)
    async with consuming(place.dsn, hindered) as service:
        await place.done()
        assert service.handler.tries > 3
    await place.assert_each_once()
    assert not await place.letters()


class Unfenced(Effects):
    async def handle(self, batch, fence):
        pass


async def test_a_handler_that_forgets_the_fence_stops_the_service_instead_of_losing_records(place):
    await place.append(5)
    with pytest.raises(StartError, match="0 times"):
        async with consuming(place.dsn, Unfenced) as service:
            await asyncio.wait({service.task}, timeout=20)
    assert await place.database.fetchval("SELECT sum(next_offset) FROM positions") == 0


class BadNotes(Effects):
    chunks = 0

    async def work_notes(self):
        self.chunks += 1
        if self.chunks == 1:
            raise KeyError("note")
        return 1 < self.chunks < 100


async def test_notes_that_fail_make_the_service_unready_while_records_flow_and_are_tried_again(place):
    async with consuming(place.dsn, BadNotes) as service:
        await place.append(20)
        await place.done()
        assert not service.health.ready
        await until(lambda: asyncio.sleep(0, service.health.ready and service.handler.chunks > 100))
    await place.assert_each_once()


async def test_when_postgres_restarts_in_the_middle_the_consumer_waits_and_goes_on(own_postgres):
    async with open_place(own_postgres.dsn) as place, consuming(own_postgres.dsn) as service:
        await place.append(200)
        await asyncio.to_thread(own_postgres.stop, 0)
        await until(lambda: asyncio.sleep(0, not service.health.ready))
        await asyncio.to_thread(own_postgres.start)
        await place.append(200)
        await place.done()
        await asyncio.sleep(consumer.IDLE_SECONDS * 3)
        assert service.health.ready
        await place.assert_each_once()
        assert not await place.letters()
