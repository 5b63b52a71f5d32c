"""What every log keeps, whichever adapter serves it."""

import asyncio
import itertools
import os
import random
import sys
import time
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from schemas.topics import EVENTS
from services.runtime.embedded_log import QUEUE_BYTES, open_embedded_log
from services.runtime.kafka_log import open_kafka_log
from services.runtime.kafka_topics import make_topics
from services.runtime.log import Unavailable
from services.runtime.postgres import connect
from services.runtime.settings import Settings

TOPIC = EVENTS.name
PARTITIONS = range(EVENTS.partitions)
numbers = itertools.count(1)
APPENDER = Path(__file__).with_name("append_program.py")


class Embedded:
    """The log in Postgres."""

    def __init__(self, dsn, postgres=None):
        self.dsn = dsn
        self.postgres = postgres

    @property
    def environment(self):
        return {"CLOSEDLOOP_DATABASE_URL": self.dsn}

    def open(self, append_seconds=5.0):
        return open_embedded_log(self.dsn, append_seconds)

    @asynccontextmanager
    async def outage(self):
        """The server crashes, and comes back at the end."""
        await asyncio.to_thread(self.postgres.stop, 0)
        yield
        await asyncio.to_thread(self.postgres.start)

    @asynccontextmanager
    async def silence(self):
        """The server takes what it is sent, and answers nobody who writes."""
        async with connect(self.dsn, application="silence", size=1) as database, database.transaction() as connection:
            await connection.execute("LOCK TABLE log.heads")
            yield


class Kafka:
    """The log in Apache Kafka, under a prefix that no other test has."""

    def __init__(self, brokers):
        self.brokers = brokers
        self.settings = Settings(broker=brokers.address, kafka_prefix=f"contract-{next(numbers)}-")
        asyncio.run(make_topics(self.settings, print))

    @property
    def environment(self):
        return {"CLOSEDLOOP_BROKER": self.settings.broker, "CLOSEDLOOP_KAFKA_PREFIX": self.settings.kafka_prefix}

    def open(self, append_seconds=5.0):
        return open_kafka_log(self.settings, append_seconds)

    @asynccontextmanager
    async def outage(self):
        await asyncio.to_thread(self.brokers.kill)
        yield
        await asyncio.to_thread(self.brokers.start)

    @asynccontextmanager
    async def silence(self):
        self.brokers.pause()
        try:
            yield
        finally:
            self.brokers.resume()


@pytest.fixture(params=["embedded", "kafka"])
def adapter(request):
    if request.param == "kafka":
        return Kafka(request.getfixturevalue("kafka"))
    return Embedded(request.getfixturevalue("dsn"))


@pytest.fixture(params=["embedded", "kafka"])
def fragile(request):
    """An adapter whose server may crash."""
    if request.param == "kafka":
        return Kafka(request.getfixturevalue("kafka"))
    postgres = request.getfixturevalue("own_postgres")
    return Embedded(postgres.dsn, postgres)


async def read_all(log, partition, offset=0):
    records = []
    while found := await log.read(TOPIC, partition, offset, 100_000, 0):
        records += found
        offset = found[-1].offset + 1
    return records


async def everything(log):
    return [await read_all(log, partition) for partition in PARTITIONS]


async def test_an_empty_log_begins_at_offset_0(adapter):
    async with adapter.open() as log:
        assert await log.ends(TOPIC) == [0] * EVENTS.partitions
        assert await log.read(TOPIC, 0, 0, 1000, 0) == []


async def test_offsets_are_dense_from_0_and_each_key_keeps_its_order_in_one_partition(adapter):
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    async with adapter.open() as log:
        counters = defaultdict(int)
        for _ in range(60):
            records = []
            for _ in range(draw.randrange(1, 30)):
                key = f"visitor:{draw.randrange(40)}".encode()
                records.append((key, b"%d" % counters[key]))
                counters[key] += 1
            await log.append(TOPIC, records)
        partitions = await everything(log)
        ends = await log.ends(TOPIC)
    for partition, records in enumerate(partitions):
        assert [record.offset for record in records] == list(range(ends[partition])), f"seed {seed}"
    values = defaultdict(list)
    for records in partitions:
        for record in records:
            values[record.key].append(int(record.value))
    assert values == {key: list(range(count)) for key, count in counters.items()}, f"seed {seed}"
    homes = [{record.key for record in records} for records in partitions]
    assert sum(map(len, homes)) == len(counters), f"seed {seed}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(b"", b"", id="empty"),
        pytest.param(b"k", b"\x00\x00\x00\x01\xff" * 3, id="bytes that look like a frame"),
        pytest.param(b"k" * 1000, b"v" * 32 * 1024, id="as long as an event may be"),
    ],
)
async def test_key_and_value_come_back_byte_for_byte(adapter, key, value):
    async with adapter.open() as log:
        await log.append(TOPIC, [(key, value), (key, value)])
        found = [record for records in await everything(log) for record in records]
    assert [(record.key, record.value) for record in found] == [(key, value)] * 2


async def test_appending_nothing_changes_nothing(adapter):
    async with adapter.open() as log:
        await log.append(TOPIC, [])
        assert await log.ends(TOPIC) == [0] * EVENTS.partitions


async def test_another_process_reads_what_was_appended_under_the_same_log_id(adapter):
    async with adapter.open() as log:
        await log.append(TOPIC, [(b"k", b"v")])
        written, log_id = await everything(log), log.log_id
    async with adapter.open() as log:
        assert await everything(log) == written
        assert log.log_id == log_id


async def test_what_was_appended_survives_a_crash_of_the_server(fragile):
    async with fragile.open() as log:
        for number in range(50):
            await log.append(TOPIC, [(b"k", b"%d" % number)])
    async with fragile.outage():
        pass
    async with fragile.open() as log:
        found = [int(record.value) for records in await everything(log) for record in records]
    assert found == list(range(50))


async def test_a_reader_that_comes_back_is_given_the_same_records_from_any_offset(adapter):
    async with adapter.open() as log:
        for number in range(5):
            await log.append(TOPIC, [(b"k", b"%d.%d" % (number, part)) for part in range(7)])
        partition = (await log.ends(TOPIC)).index(35)
        whole = await read_all(log, partition)
        for offset in range(36):
            assert await read_all(log, partition, offset) == whole[offset:]


async def test_a_read_gives_about_as_many_bytes_as_asked_and_always_one_record(adapter):
    async with adapter.open() as log:
        for _ in range(30):
            await log.append(TOPIC, [(b"k", b"v" * 1000)])
        partition = (await log.ends(TOPIC)).index(30)
        assert len(await log.read(TOPIC, partition, 0, 1, 0)) == 1
        assert 4 <= len(await log.read(TOPIC, partition, 0, 5000, 0)) <= 6
        assert len(await log.read(TOPIC, partition, 7, 1_000_000, 0)) == 23


async def test_a_waiting_reader_gets_the_record_when_it_comes_and_nothing_when_none_comes(adapter):
    async with adapter.open() as log, adapter.open() as other:
        await log.append(TOPIC, [(b"k", b"first")])
        partition = (await log.ends(TOPIC)).index(1)
        began = time.monotonic()
        assert await log.read(TOPIC, partition, 1, 1000, 0.2) == []
        assert 0.15 < time.monotonic() - began < 1
        waiting = asyncio.create_task(log.read(TOPIC, partition, 1, 1000, 5))
        await asyncio.sleep(0.15)
        began = time.monotonic()
        await other.append(TOPIC, [(b"k", b"second")])
        assert [record.value for record in await waiting] == [b"second"]
        assert time.monotonic() - began < 1


async def test_a_tailing_reader_never_sees_a_gap_or_a_change_of_order_while_many_append(adapter):
    """The trap of sequences: a number taken early and committed late is skipped for ever by whoever follows."""
    in_process, processes, rounds = 4, 2, 150
    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(adapter.open()) for _ in range(in_process + 1)]
        tail = logs.pop()

        async def append(log, name):
            for number in range(rounds):
                await log.append(TOPIC, [(b"%s:%d" % (name, key), b"%d" % number) for key in range(5)])

        writers = [asyncio.create_task(append(log, b"w%d" % i)) for i, log in enumerate(logs) for _ in range(1)]
        programs = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, APPENDER, TOPIC, f"p{i}", str(rounds)), env=os.environ | adapter.environment
            )
            for i in range(processes)
        ]
        seen = defaultdict(list)
        expected = (in_process + processes) * rounds * 5

        async def follow(partition):
            offset = 0
            while sum(map(len, seen.values())) < expected:
                for record in await tail.read(TOPIC, partition, offset, 2000, 0.05):
                    assert record.offset == offset
                    offset += 1
                    seen[record.key].append(int(record.value))

        async with asyncio.timeout(60):
            await asyncio.gather(*map(follow, PARTITIONS), *writers)
            assert [await program.wait() for program in programs] == [0] * processes
    assert len(seen) == (in_process + processes) * 5
    assert all(numbers == list(range(rounds)) for numbers in seen.values())


async def test_an_outage_ends_in_unavailable_at_the_deadline_and_heals_by_itself(fragile):
    async with fragile.open(append_seconds=1.0) as log:
        await log.append(TOPIC, [(b"k", b"before")])
        async with fragile.outage():
            began = time.monotonic()
            answers = await asyncio.gather(
                *(log.append(TOPIC, [(b"k", b"lost %d" % n)]) for n in range(20)), return_exceptions=True
            )
            assert all(isinstance(answer, Unavailable) for answer in answers)
            assert time.monotonic() - began < 2
            with pytest.raises(OSError, match=r".") as caught:
                await log.read(TOPIC, 0, 0, 1000, 0)
            assert not isinstance(caught.value, TimeoutError)
        await log.append(TOPIC, [(b"k", b"after")])
        values = [record.value for records in await everything(log) for record in records]
    assert values[0] == b"before"
    assert values[-1] == b"after"
    assert len(values) == len(set(values))


async def test_a_short_outage_is_bridged_within_the_deadline(fragile):
    async with fragile.open(append_seconds=15.0) as log:
        async with fragile.outage():
            waiting = asyncio.create_task(log.append(TOPIC, [(b"k", b"patient")]))
            await asyncio.sleep(0.2)
        await waiting
        assert [record.value for records in await everything(log) for record in records] == [b"patient"]


async def test_what_was_given_up_before_it_was_sent_is_never_stored(adapter):
    async with adapter.open() as log:
        async with adapter.silence():
            in_flight = asyncio.create_task(log.append(TOPIC, [(b"k", b"in flight")]))
            await asyncio.sleep(0.1)
            queued = [asyncio.create_task(log.append(TOPIC, [(b"k", b"queued")])) for _ in range(10)]
            await asyncio.sleep(0.1)
            for append in queued:
                append.cancel()
            await asyncio.gather(*queued, return_exceptions=True)
        await in_flight
        await log.append(TOPIC, [(b"k", b"after")])
        values = [record.value for records in await everything(log) for record in records]
    assert values == [b"in flight", b"after"]


async def test_too_much_waiting_for_the_disk_is_refused_at_once(adapter):
    async with adapter.open(append_seconds=3.0) as log, adapter.silence():
        megabyte = [(b"k", b"v" * 1024 * 1024)]
        waiting = [asyncio.create_task(log.append(TOPIC, megabyte)) for _ in range(QUEUE_BYTES // 2**20)]
        await asyncio.sleep(0.1)
        surplus = [asyncio.create_task(log.append(TOPIC, megabyte)) for _ in range(3)]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable, match="too many"):
            surplus[-1].result()
        for append in [*waiting, *surplus]:
            append.cancel()
        await asyncio.gather(*waiting, *surplus, return_exceptions=True)


async def test_closing_the_log_answers_everybody_who_waits(adapter):
    async with adapter.open() as log, adapter.silence():
        waiting = [asyncio.create_task(log.append(TOPIC, [(b"k", b"v")])) for _ in range(3)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await log.close()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert time.monotonic() - began < 5
        with pytest.raises(Unavailable):
            await log.append(TOPIC, [(b"k", b"v")])
