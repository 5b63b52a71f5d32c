"""One service of `closedloop up` as a child process: started, watched, started again when it dies."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Thread

from services.local import tether
from services.local.console import Console
from services.local.processes import Process, find_process

FIRST_DELAY = 0.5
LONGEST_DELAY = 15.0
STEADY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """What to run, and where it answers GET /readyz (a port of None: nowhere)."""

    name: str
    command: Sequence[str]
    ops_port: int | None = None
    ops_host: str = "127.0.0.1"


def next_delay(delay: float, lived: float) -> float:
    """Seconds to wait before a start, after one with `delay` whose process lived for `lived` seconds."""
    return FIRST_DELAY if delay == 0 or lived >= STEADY_SECONDS else min(2 * delay, LONGEST_DELAY)


def ending(code: int) -> str:
    """How a process ended, in words; `code` as in Popen.returncode."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


class Child:
    """The process of one service. It is tied to the thread that starts it, so that must be the main one."""

    def __init__(self, service: Service, environment: Mapping[str, str], console: Console) -> None:
        self.service = service
        self._environment = environment
        self._console = console
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: Thread | None = None
        self._begun = 0.0
        self._delay = 0.0
        self._due: float | None = None

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C in the terminal does not reach it."""
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.service.command]
        self._process = subprocess.Popen(  # noqa: S603 - the services' own commands
            command,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._pump = Thread(target=self._relay, args=(self._process,), daemon=True)
        self._pump.start()
        self._begun, self._due = time.monotonic(), None

    @property
    def process(self) -> Process | None:
        """The living process, if there is one."""
        return find_process(self._process.pid) if self._process and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; None while it runs."""
        return self._process.poll() if self._process else None

    def is_ready(self) -> bool:
        """Whether it answers 200 to GET /readyz."""
        if self.process is None or self.service.ops_port is None:
            return self.process is not None
        return answers(self.service.ops_host, self.service.ops_port)

    def revive(self) -> bool:
        """Start a dead process again when its time has come; whether that was now."""
        now = time.monotonic()
        if self.exit_code is not None and self._due is None:
            self._delay = next_delay(self._delay, now - self._begun)
            self._due = now + self._delay
            self._console.say(f"{self.service.name} {ending(self.exit_code)}; it starts again in {self._delay:g} s")
        if self._due is None or now < self._due:
            return False
        self.start()
        return True

    def terminate(self) -> None:
        """Ask the process to finish its work and end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and what it has started, if it still lives, and show its last lines."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self.finish_output()

    def finish_output(self) -> None:
        """Wait a moment until the last lines of an ended process are shown."""
        if self._pump is not None:
            self._pump.join(timeout=1)

    def _relay(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            while line := lines.readline(65_536):
                self._console.relay(self.service.name, line.decode(errors="replace"))


def answers(ops_host: str, ops_port: int) -> bool:
    """Whether the service with this ops port answers 200 to GET /readyz."""
    connection = http.client.HTTPConnection(ops_host, ops_port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
