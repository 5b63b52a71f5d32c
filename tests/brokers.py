"""Real Kafka brokers for tests, run by the product's own `deploy/kafka/kafka`: started, stopped, killed, paused.

They are children of the test process, and the system kills them when it ends in whatever way (PR_SET_PDEATHSIG of
prctl(2), by setpriv). Their data goes with their folder.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.ports import free_ports

SCRIPT = Path(__file__).parent.parent / "deploy" / "kafka" / "kafka"

READY_SECONDS = 60.0

QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
"""Only the first compiler: the second pays after minutes."""

_starter = ThreadPoolExecutor(1)
"""The thread that starts all brokers. The system ties a child to the thread that made it, and this one stays."""


class Brokers:
    """One broker, or a cluster of three, on free ports of this machine. Nodes are numbered from 1.

    All methods block; from a coroutine call them by asyncio.to_thread. `options` are settings of the brokers, each as
    `name=value`, that go before those of deploy/kafka/server.properties.
    """

    def __init__(self, folder: Path, count: int = 1, options: Iterable[str] = (), port: int | None = None) -> None:
        self.nodes = range(1, count + 1)
        self.port = free_ports(2 * count) if port is None else port
        self._folder = folder
        self._overrides = [word for option in options for word in ("--override", option)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._paused: set[int] = set()

    @property
    def address(self) -> str:
        """All brokers, as CLOSEDLOOP_BROKER takes them."""
        return "kafka://" + ",".join(f"127.0.0.1:{self.port_of(node)}" for node in self.nodes)

    def port_of(self, node: int) -> int:
        return self.port + node - 1

    def pid_of(self, node: int = 1) -> int:
        return self._processes[node].pid

    def is_running(self, node: int = 1) -> bool:
        """Whether its process lives, paused or not."""
        return node in self._processes and self._processes[node].poll() is None

    def start(self, node: int | None = None) -> None:
        """Start this node, or all, where it does not run or is paused, and wait until all that run answer."""
        self.launch(node)
        self.wait_until_ready()

    def launch(self, node: int | None = None, *java_options: str) -> None:
        """Start without waiting."""
        for each in self._choose(node):
            if each in self._paused:
                self.resume(each)
            if not self.is_running(each):
                self._launch(each, java_options or quick_java())

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every node that was started and is not paused answers: then its cluster has taken it in."""
        deadline = time.monotonic() + seconds
        for node in self._processes.keys() - self._paused:
            while not answers(self.port_of(node)):
                assert self.is_running(node), f"broker {node} has ended; {self._last_lines(node)}"
                assert time.monotonic() < deadline, f"broker {node} does not answer; {self._last_lines(node)}"
                time.sleep(0.02)

    def stop(self, node: int | None = None) -> None:
        """End this node, or all, as an operator does (SIGTERM), and wait until it is over."""
        self._end(node, signal.SIGTERM)

    def kill(self, node: int | None = None) -> None:
        """End this node, or all, at once (SIGKILL)."""
        self._end(node, signal.SIGKILL)

    def pause(self, node: int = 1) -> None:
        """Let this node stand still (SIGSTOP): its connections stay open and nothing is answered."""
        self._paused.add(node)
        os.kill(self.pid_of(node), signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid_of(node), os.WSTOPPED)  # its last threads may have answered until now

    def resume(self, node: int = 1) -> None:
        """Let a paused node go on."""
        os.kill(self.pid_of(node), signal.SIGCONT)
        self._paused.discard(node)

    def _choose(self, node: int | None) -> Sequence[int]:
        return self.nodes if node is None else [node]

    def _launch(self, node: int, java_options: Iterable[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {
            "CLOSEDLOOP_DATA_DIR": str(self._folder),
            "KAFKA_PORT": str(self.port),
            "BROKERS": str(len(self.nodes)),
            "JDK_JAVA_OPTIONS": " ".join(java_options),
        }
        with self._log(node).open("ab") as log:
            self._processes[node] = _starter.submit(
                subprocess.Popen,
                [*tied(), SCRIPT, "run", str(node), *self._overrides],
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).result()

    def _end(self, node: int | None, how: signal.Signals) -> None:
        ending = [each for each in self._choose(node) if each in self._processes]
        for each in ending:
            self._processes[each].send_signal(how)
            if each in self._paused:
                self.resume(each)
        for each in ending:
            self._processes.pop(each).wait(READY_SECONDS)

    def _log(self, node: int) -> Path:
        return self._folder / f"broker-{node}.log"

    def _last_lines(self, node: int) -> str:
        return "\n".join(["it said last:", *self._log(node).read_text().splitlines()[-10:]])


def require_kafka() -> None:
    """Skip the test that asks, with one line, where Kafka cannot run; in CI fail it."""
    folder, why = _fetch()
    if not folder:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{why}; this test needs Kafka")


def answers(port: int) -> bool:
    """Whether somebody listens on this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def tied() -> list[str]:
    """The beginning of a command that must not outlive the thread that starts it."""
    return ["setpriv", "--pdeathsig", "KILL"] if sys.platform == "linux" else []


def libraries() -> Path:
    """The folder with Kafka's jars. Raises AssertionError, which says why, where Kafka cannot run."""
    folder, why = _fetch()
    assert folder, why
    return Path(folder)


def quick_java() -> list[str]:
    """Options with which a JVM starts Kafka for half the time and work.

    An archive of Kafka's classes as they are in memory is made once; where it does not fit, the JVM does without (see
    "Class Data Sharing" in the manual of `java`).
    """
    return [QUICK_COMPILER, f"-XX:SharedArchiveFile={_class_archive()}"]


@cache
def _class_archive() -> Path:
    key = zlib.crc32(os.path.realpath(shutil.which("java") or "").encode())
    archive = libraries().with_name(f"{libraries().name}-classes-{key}.jsa")
    if not archive.exists():
        draft = archive.with_suffix(f".{os.getpid()}")
        with tempfile.TemporaryDirectory() as folder:
            broker = Brokers(Path(folder))
            broker.launch(None, QUICK_COMPILER, f"-XX:ArchiveClassesAtExit={draft}")
            broker.wait_until_ready()
            broker.stop()
        draft.replace(archive)
    return archive


@cache
def _fetch() -> tuple[str, str]:
    """The folder with Kafka's jars, or why there is none."""
    done = subprocess.run([SCRIPT, "fetch"], capture_output=True, text=True, check=False)
    return (done.stdout.strip(), "") if done.returncode == 0 else ("", done.stderr.strip().splitlines()[-1])
