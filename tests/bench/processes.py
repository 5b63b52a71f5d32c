"""Services as processes of their own, as they are deployed, for measurements from outside."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from services.local.child import answers
from services.runtime.settings import Settings

START_SECONDS = 30.0


class Server(NamedTuple):
    """A server's process, and its port on 127.0.0.1."""

    pid: int
    port: int


@contextmanager
def service(name: str, settings: Settings, port: int, ops_port: int) -> Iterator[Server]:
    """`closedloop NAME` with these settings, once it is ready; `port` is the first that it opens."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLOSEDLOOP_")}
    for field in ("data_dir", "port", "ops_port", "write_key", "broker", "models"):
        environment[f"CLOSEDLOOP_{field.upper()}"] = str(getattr(settings, field))
    for field in ("database_url", "admin_token", "id_key", "webhook_secret"):
        environment[f"CLOSEDLOOP_{field.upper()}"] = getattr(settings, field).get_secret_value()
    with process([sys.executable, "-m", name], environment, port) as server:
        deadline = time.monotonic() + START_SECONDS
        while not answers("127.0.0.1", ops_port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} is not ready")
            time.sleep(0.05)
        yield server


@contextmanager
def process(command: Sequence[str], environment: dict[str, str], port: int) -> Iterator[Server]:
    """Runs the command; begins when it listens on the port."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as started:
        try:
            _wait_for(started, port)
            yield Server(started.pid, port)
        finally:
            started.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(started: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while started.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{started.args!r} does not listen on port {port}")
