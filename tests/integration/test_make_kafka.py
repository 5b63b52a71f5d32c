"""`make kafka` and `make kafka-stop` with real brokers, and what the tests' own brokers promise."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.brokers import SCRIPT, answers, quick_java, require_kafka
from tests.ports import free_ports

PATIENCE_MS = 4000
"""How long a client waits for an answer; of itself it would be 40 s."""


class MakeKafka:
    """`make kafka` with a data folder and ports of its own."""

    def __init__(self, data_dir: Path, brokers: int) -> None:
        self.port, self.brokers = free_ports(2 * brokers), brokers
        self.folder = data_dir / "kafka"
        self.environment = {"CLOSEDLOOP_DATA_DIR": str(data_dir), "KAFKA_PORT": str(self.port), "BROKERS": str(brokers)}

    def __call__(self, verb: str, **environment: str) -> str:
        """What it prints, or the one line with which it fails."""
        environment = os.environ | self.environment | environment
        done = subprocess.run([SCRIPT, verb], env=environment, capture_output=True, text=True, check=False)
        output = done.stdout.strip() if done.returncode == 0 else done.stderr.strip()
        assert "\n" not in output
        return output

    @property
    def address(self) -> str:
        return "kafka://" + ",".join(f"127.0.0.1:{self.port + node}" for node in range(self.brokers))

    def pid(self, folder: str = ".") -> int:
        return int((self.folder / folder / "pid").read_text())


@pytest.fixture
def make_kafka(tmp_path: Path) -> Iterator[Callable[[int], MakeKafka]]:
    """Gives a `make kafka` for so many brokers. They are stopped at the end, and when the tests are killed."""
    require_kafka()
    watches = []

    def make(brokers: int) -> MakeKafka:
        kafka = MakeKafka(tmp_path, brokers)
        kafka.environment["JDK_JAVA_OPTIONS"] = " ".join(quick_java())
        watch = ["bash", "-c", 'read -r _; "$0" stop', SCRIPT]
        environment = os.environ | kafka.environment
        watches.append(subprocess.Popen(watch, env=environment, stdin=subprocess.PIPE, start_new_session=True))
        return kafka

    yield make
    for watch in watches:
        watch.communicate()


def path_with(tmp_path: Path, name: str, script: str) -> str:
    """A PATH on which this program is a shell script."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


@asynccontextmanager
async def producer_of(address: str, **security: object) -> AsyncIterator[AIOKafkaProducer]:
    servers = address.removeprefix("kafka://")
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", request_timeout_ms=PATIENCE_MS, **security)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def make_topic(address: str, topic: str, copies: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address.removeprefix("kafka://"))
    await admin.start()
    try:
        made = await admin.create_topics([NewTopic(topic, 1, copies)])
        assert [error for _, error, *_ in made.topic_errors] == [0], made
    finally:
        await admin.close()


async def keep(address: str, value: bytes) -> None:
    """Send it until it is acknowledged, so it may be there more than once."""
    async with producer_of(address) as producer:
        while True:
            try:
                await producer.send_and_wait("records", value, partition=0)
            except KafkaError as error:
                print(f"again, after {error!r}")
            else:
                return


async def kept(address: str) -> set[bytes | None]:
    """The values of the topic."""
    partition = TopicPartition("records", 0)
    servers = address.removeprefix("kafka://")
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, request_timeout_ms=PATIENCE_MS)
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        consumer.seek(partition, 0)
        return {(await consumer.getone()).value for _ in range(end)}
    finally:
        await consumer.stop()


async def test_it_prints_its_address_and_its_records_are_there_after_a_stop(
    make_kafka: Callable[[int], MakeKafka],
) -> None:
    kafka = make_kafka(1)
    assert kafka("start") == kafka.address
    process = kafka.pid()
    await make_topic(kafka.address, "records", copies=1)
    await keep(kafka.address, b"kept")

    assert kafka("start", KAFKA_PORT="1") == kafka.address, "it runs, so nothing happens"
    assert kafka.pid() == process
    assert "make kafka-stop" in kafka("start", BROKERS="3")

    assert kafka("stop") == ""
    assert not answers(kafka.port)
    assert kafka("stop") == ""
    assert kafka("start") == kafka.address
    assert await kept(kafka.address) == {b"kept"}


async def test_of_three_brokers_one_may_be_killed_and_the_next_start_brings_it_back(
    make_kafka: Callable[[int], MakeKafka],
) -> None:
    kafka = make_kafka(3)
    assert kafka("start") == kafka.address
    await make_topic(kafka.address, "records", copies=3)
    await keep(kafka.address, b"before")

    killed, survivor = kafka.pid("three/2"), kafka.pid("three/1")
    os.kill(killed, signal.SIGKILL)
    await keep(kafka.address, b"after")
    assert await kept(kafka.address) == {b"before", b"after"}

    assert kafka("start") == kafka.address
    assert kafka.pid("three/2") != killed
    assert kafka.pid("three/1") == survivor


def test_a_start_knows_the_port_while_the_node_writes_its_settings(
    make_kafka: Callable[[int], MakeKafka], tmp_path: Path
) -> None:
    kafka = make_kafka(1)
    sed = f'case "$*" in *@NODE@*) sleep 0.5 ;; *) sleep 0.2 ;; esac; exec {shutil.which("sed")} "$@"'
    assert kafka("start", PATH=path_with(tmp_path, "sed", sed)) == kafka.address


def test_a_broker_that_ends_is_one_line_with_its_last_words(
    make_kafka: Callable[[int], MakeKafka], tmp_path: Path
) -> None:
    kafka = make_kafka(1)
    java = r'printf "INFO: begun\nException: no room\n\tat kafka.Kafka\n"; case "$*" in *kafka.Kafka*) exit 1 ;; esac'
    line = kafka("start", PATH=path_with(tmp_path, "java", java))
    log = kafka.folder / "server.log"
    assert line == f"make kafka: node 1 ended at once; it said last, in {log}: Exception: no room"


def test_a_port_in_use_is_one_line(make_kafka: Callable[[int], MakeKafka]) -> None:
    kafka = make_kafka(1)
    with socket.create_server(("127.0.0.1", kafka.port + 1)):
        line = kafka("start")
    assert line == f"make kafka: port {kafka.port + 1} is in use; set KAFKA_PORT to the first of 2 free ones"


def test_a_missing_java_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "cksum", "cut", "dirname", "realpath"):
        (programs / name).symlink_to(shutil.which(name) or name)
    line = MakeKafka(tmp_path, 1)("start", PATH=str(programs))
    assert line == "make kafka: Java is missing; on Debian: apt-get install openjdk-17-jre-headless"


def test_there_are_one_or_three_brokers(tmp_path: Path) -> None:
    assert MakeKafka(tmp_path, 1)("start", BROKERS="2") == "make kafka: BROKERS is 1 or 3, not 2"


def test_brokers_of_tests_end_when_the_tests_are_killed(tmp_path: Path) -> None:
    require_kafka()
    program = (
        "import sys, pathlib, tests.brokers as b; broker = b.Brokers(pathlib.Path(sys.argv[1])); broker.start(); "
        "broker.pause(); print(broker.pid_of(), flush=True); input()"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    root = SCRIPT.parent.parent.parent
    with subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        broker = Path("/proc", tests.stdout.readline().strip())
        tests.kill()
    deadline = time.monotonic() + 10
    while broker.exists():
        assert time.monotonic() < deadline, "the broker lives on"
        time.sleep(0.02)
