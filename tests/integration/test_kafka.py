"""What is Kafka's own: topics, security, lag tools, and what must never be skipped. The contract of logs is elsewhere."""

import asyncio
import itertools
import random
import socket
import time
import tracemalloc

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from schemas.topics import DEALS, EVENTS, IDENTITY, TOPICS
from services.runtime.continuity import check_continuity, checksum
from services.runtime.kafka_cluster import find_cluster
from services.runtime.kafka_log import open_kafka_log
from services.runtime.kafka_topics import make_topics
from services.runtime.leases import Place
from services.runtime.log import Unavailable, by_partition
from services.runtime.open_log import open_log
from services.runtime.settings import Settings, SettingsError, StartError
from tests.secured_brokers import MECHANISMS

numbers = itertools.count(1)


@pytest.fixture
def settings(kafka):
    """A prefix that no other test has."""
    return Settings(broker=kafka.address, kafka_prefix=f"kafka-{next(numbers)}-")


@pytest.fixture
async def admin(kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address.removeprefix("kafka://"))
    await admin.start()
    yield admin
    await admin.close()


async def test_migrate_makes_topics_that_are_kept_for_ever_and_says_so_once(settings, admin):
    told = []
    await make_topics(settings, told.append)
    await make_topics(settings, told.append)
    assert told == [f"topic {settings.kafka_prefix}{t.name}: 1 replicas, kept for ever" for t in TOPICS]
    name = settings.kafka_prefix + EVENTS.name
    answer = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    config = {entry[0]: entry[1] for entry in answer[0].resources[0][4]}
    assert config["retention.ms"] == config["retention.bytes"] == "-1"
    assert config["unclean.leader.election.enable"] == "false"


async def test_three_brokers_hold_three_replicas_of_which_one_may_be_lost(three_brokers):
    settings = Settings(broker=three_brokers.address, kafka_prefix=f"kafka-{next(numbers)}-")
    await make_topics(settings, print)
    admin = AIOKafkaAdminClient(bootstrap_servers=three_brokers.address.removeprefix("kafka://"))
    await admin.start()
    try:
        [topic] = await admin.describe_topics([settings.kafka_prefix + EVENTS.name])
        assert {len(partition["replicas"]) for partition in topic["partitions"]} == {3}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic["topic"])
        config = {entry[0]: entry[1] for entry in (await admin.describe_configs([resource]))[0].resources[0][4]}
        assert config["min.insync.replicas"] == "2"
    finally:
        await admin.close()


async def test_a_log_without_topics_says_what_to_run(settings):
    with pytest.raises(StartError, match=f"no topic {settings.kafka_prefix}events yet; run `closedloop migrate`"):
        async with open_log(settings):
            pass


async def test_a_topic_with_other_partitions_is_refused_since_keys_would_move(settings, admin):
    await admin.create_topics([NewTopic(settings.kafka_prefix + DEALS.name, 7, 1)])
    with pytest.raises(StartError, match="deals has 7 partitions, this program expects 4"):
        await make_topics(settings, print)


async def test_two_prefixes_are_two_logs_of_one_cluster(settings):
    other = settings.model_copy(update={"kafka_prefix": settings.kafka_prefix + "other-"})
    for each in (settings, other):
        await make_topics(each, print)
    async with open_kafka_log(settings) as log, open_kafka_log(other) as second:
        assert log.log_id != second.log_id
        await log.append(EVENTS.name, [(b"k", b"v")])
        assert sum(await second.ends(EVENTS.name)) == 0


async def test_lag_tools_see_how_far_a_group_is(settings, admin):
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.publish(IDENTITY, {Place(EVENTS.name, 0): 3, Place(DEALS.name, 1): 4})
        await log.publish(IDENTITY, {Place(EVENTS.name, 0): 5})
    offsets = await admin.list_consumer_group_offsets(settings.kafka_prefix + IDENTITY)
    committed = {place: entry.offset for place, entry in offsets.items() if entry.offset >= 0}
    assert committed == {
        TopicPartition(settings.kafka_prefix + EVENTS.name, 0): 5,
        TopicPartition(settings.kafka_prefix + DEALS.name, 1): 4,
    }


async def test_what_was_deleted_before_it_was_read_stops_the_reader_instead_of_being_skipped(settings, admin):
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.append(EVENTS.name, [(b"k", b"%d" % number) for number in range(10)])
        partition = (await log.ends(EVENTS.name)).index(10)
        place = TopicPartition(settings.kafka_prefix + EVENTS.name, partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=4)})
        with pytest.raises(StartError, match=rf"no longer has what comes next \({place.topic}\[{partition}\] at 0\)"):
            await log.read(EVENTS.name, partition, 0, 1000, 1)


async def test_a_topic_that_was_made_anew_stops_the_reader_though_it_is_longer_than_the_old_one(
    settings, admin, database
):
    name, place = settings.kafka_prefix + EVENTS.name, Place(EVENTS.name, 0)
    key = next(key for key in map(b"%d".__mod__, itertools.count()) if key_belongs_to(key, place.partition))

    async def fill(text):
        await make_topics(settings, print)
        async with open_kafka_log(settings) as log:
            await log.append(EVENTS.name, [(key, text % number) for number in range(20)])
            return log.log_id, (await log.read(EVENTS.name, place.partition, 9, 1, 1))[0]

    log_id, last = await fill(b"old %d")
    await database.execute(
        "INSERT INTO positions (log_id, consumer_group, topic, partition, next_offset, last_checksum)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(log_id, IDENTITY, *place, last.offset + 1, checksum(last)),
    )
    async with open_kafka_log(settings) as log:
        await check_continuity(log, database, IDENTITY, [place])

    await admin.delete_topics([name])
    async with asyncio.timeout(10):
        while name in await admin.list_topics():
            await asyncio.sleep(0.05)
    assert (await fill(b"new %d"))[0] == log_id
    async with open_kafka_log(settings) as log:
        with pytest.raises(StartError, match=r"events\[0\] holds another record at 9 than identity handled"):
            await check_continuity(log, database, IDENTITY, [place])


def key_belongs_to(key, partition):
    return set(by_partition([(key, b"")], EVENTS.partitions)) == {partition}


@pytest.mark.parametrize(
    ("configuration", "line"),
    [
        ({"cleanup.policy": "compact"}, "has cleanup.policy=compact, and would lose events"),
        ({"retention.ms": "604800000"}, "has retention.ms=604800000, and would lose events"),
        ({"retention.bytes": "1000000"}, "has retention.bytes=1000000, and would lose events"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_topic_that_does_not_keep_its_records_for_ever_is_refused(settings, admin, configuration, line):
    kept = {"cleanup.policy": "delete", "retention.ms": "-1"} | configuration
    topic = NewTopic(settings.kafka_prefix + EVENTS.name, EVENTS.partitions, 1, topic_configs=kept)
    await admin.create_topics([topic])
    with pytest.raises(StartError, match=line):
        await make_topics(settings, print)


async def test_fewer_replicas_than_there_should_be_are_told(three_brokers):
    settings = Settings(broker=three_brokers.address, kafka_prefix=f"kafka-{next(numbers)}-", kafka_replicas=1)
    await make_topics(settings, print)
    told = []
    await make_topics(settings.model_copy(update={"kafka_replicas": 0}), told.append)
    for topic in TOPICS:
        weak, few = (line for line in told if f"topic {settings.kafka_prefix}{topic.name} " in line)
        assert "answers when fewer than 2 brokers have a record" in weak
        assert "has 1 replicas, and should have 3" in few


async def test_migrate_waits_for_the_brokers_that_replicas_are_to_be_on(three_brokers):
    settings = Settings(broker=three_brokers.address, kafka_prefix=f"kafka-{next(numbers)}-")
    three_brokers.kill(3)
    told = []
    async with asyncio.timeout(30):
        while (await find_cluster(settings)).brokers == 3:  # until its session ends
            await asyncio.sleep(0.2)
    making = asyncio.create_task(make_topics(settings, told.append))
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.1)
        assert "Kafka has 2 brokers, and topics are to have 3 replicas" in told[0]
        await asyncio.to_thread(three_brokers.start)
        await making
    assert f"topic {settings.kafka_prefix}events: 3 replicas, kept for ever" in told


async def test_one_silent_broker_of_three_is_left_aside_within_seconds(three_brokers):
    settings = Settings(broker=three_brokers.address, kafka_prefix=f"kafka-{next(numbers)}-")
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.ends(EVENTS.name)
        three_brokers.pause(2)
        try:
            deadline = time.monotonic() + 20
            in_a_row = 0
            while in_a_row < 10:
                assert time.monotonic() < deadline
                try:
                    await log.ends(EVENTS.name)
                    in_a_row += 1
                except OSError:
                    in_a_row = 0
            for number in range(50):
                await append_with_patience(log, b"%d" % number)
        finally:
            three_brokers.resume(2)


async def append_with_patience(log, key):
    """As a sender does."""
    while True:
        try:
            return await log.append(EVENTS.name, [(key, b"v")])
        except Unavailable:
            pass


@pytest.fixture
def silent_server():
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


async def test_a_server_that_answers_is_found_beside_a_silent_one(kafka, silent_server):
    address = f"kafka://{silent_server},{kafka.address.removeprefix('kafka://')}"
    settings = Settings(broker=address, kafka_prefix=f"kafka-{next(numbers)}-", kafka_replicas=1)
    async with asyncio.timeout(30):
        await make_topics(settings, print)
        async with open_kafka_log(settings) as log:
            await append_with_patience(log, b"k")


async def test_a_backlog_that_zstd_has_made_small_is_not_unpacked_at_once(settings):
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        for _ in range(20):
            await log.append(EVENTS.name, [(b"k", b"a" * 16 * 1024)] * 100)
        partition = (await log.ends(EVENTS.name)).index(2000)
    async with open_kafka_log(settings) as log:
        await log.read(EVENTS.name, partition, 0, 1, 1)
        tracemalloc.start()
        offset = 0
        while records := await log.read(EVENTS.name, partition, offset, 256 * 1024, 0):
            offset = records[-1].offset + 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert offset == 2000
    assert peak < 8 * 1024 * 1024, "of 32 MB"


async def test_one_record_that_kafka_refuses_harms_no_neighbour(settings):
    """The collector takes nothing so large; a broker may be set to take less."""
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        outcomes = await asyncio.gather(
            log.append(EVENTS.name, [(b"large", _incompressible(2 * 1024 * 1024))]),
            *(log.append(EVENTS.name, [(b"small-%d" % number, b"v")]) for number in range(40)),
            return_exceptions=True,
        )
        assert isinstance(outcomes[0], Unavailable)
        assert outcomes[1:] == [None] * 40


async def test_records_are_compressed_with_zstd(settings, kafka):
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.append(EVENTS.name, [(b"k", b"visit " * 1000)] * 20)
    folder = next(
        path for path in kafka._folder.rglob(f"{settings.kafka_prefix}{EVENTS.name}-*/*.log") if path.stat().st_size
    )
    assert folder.stat().st_size < 3000
    assert b"\x28\xb5\x2f\xfd" in folder.read_bytes(), "the magic number of a zstd frame, RFC 8878"


async def test_an_append_of_many_keys_is_durable_in_all_their_partitions(settings):
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.append(EVENTS.name, [(b"key-%d" % number, b"v") for number in range(500)])
        ends = await log.ends(EVENTS.name)
    assert sum(ends) == 500
    assert all(ends)


async def test_a_broker_that_falls_silent_delays_an_append_no_longer_than_its_deadline(settings, kafka):
    await make_topics(settings, print)
    async with open_kafka_log(settings, append_seconds=1.0) as log:
        await log.append(EVENTS.name, [(b"k", b"before")])
        kafka.pause()
        try:
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await log.append(EVENTS.name, [(b"k", b"unknown")])
            assert time.monotonic() - began < 1.5
            with pytest.raises(OSError, match="Kafka"):
                await log.ends(EVENTS.name)
        finally:
            kafka.resume()
        async with asyncio.timeout(5):
            await append_with_patience(log, b"after")


def _with_password(secured, mechanism="PLAIN", **changes):
    known = {"kafka_tls": True, "kafka_ca_file": str(secured.ca_file), "kafka_prefix": f"kafka-{next(numbers)}-"}
    user = {"kafka_user": secured.user, "kafka_password": secured.password, "kafka_sasl": mechanism}
    return Settings.model_validate({"broker": secured.sasl_address, **known, **user, **changes})


def _with_certificate(secured, **changes):
    known = {"kafka_tls": True, "kafka_ca_file": str(secured.ca_file), "kafka_prefix": f"kafka-{next(numbers)}-"}
    certificate = {"kafka_cert_file": str(secured.cert_file), "kafka_key_file": str(secured.key_file)}
    return Settings.model_validate({"broker": secured.tls_address, **known, **certificate, **changes})


@pytest.mark.parametrize("mechanism", [*MECHANISMS, "certificate"])
async def test_events_reach_a_broker_that_asks_who_is_there(secured_kafka, mechanism):
    if mechanism == "certificate":
        settings = _with_certificate(secured_kafka)
    else:
        settings = _with_password(secured_kafka, mechanism)
    await make_topics(settings, print)
    async with open_kafka_log(settings) as log:
        await log.append(EVENTS.name, [(b"k", b"v")])
        partition = (await log.ends(EVENTS.name)).index(1)
        assert [record.value for record in await log.read(EVENTS.name, partition, 0, 1000, 1)] == [b"v"]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        pytest.param({"kafka_password": "wrong"}, "SaslAuthenticationFailed", id="password"),
        pytest.param({"mechanism": "SCRAM-SHA-512", "kafka_user": "nobody"}, "SaslAuthenticationFailed", id="user"),
        pytest.param({"kafka_ca_file": ""}, "CERTIFICATE_VERIFY_FAILED", id="unknown authority"),
        pytest.param({"kafka_ca_file": "/nowhere.pem"}, "CLOSEDLOOP_KAFKA_CA_FILE", id="no such file"),
    ],
)
async def test_a_broker_that_refuses_us_stops_the_start_with_one_line_about_the_setting(secured_kafka, wrong, line):
    async with asyncio.timeout(10):
        with pytest.raises(SettingsError, match=line) as caught:
            await make_topics(_with_password(secured_kafka, **wrong), print)
    assert "\n" not in str(caught.value)
    assert secured_kafka.password not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(
            {"kafka_tls": False, "kafka_ca_file": "", "kafka_cert_file": "", "kafka_key_file": ""}, id="no TLS"
        ),
        pytest.param({"kafka_cert_file": "", "kafka_key_file": ""}, id="no certificate"),
    ],
)
async def test_a_broker_that_hangs_up_without_a_word_is_waited_for_and_the_log_says_what_it_may_want(
    secured_kafka, wrong, caplog
):
    """It looks like a broker that is starting."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await make_topics(_with_certificate(secured_kafka, **wrong), print)
    assert "TLS, SASL or a client certificate" in caplog.text


def _incompressible(size):
    """So many bytes of which zstd makes none fewer; the same ones each time."""
    return random.Random(1).randbytes(size)
