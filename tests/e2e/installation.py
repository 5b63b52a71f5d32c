"""`closedloop up` as a user runs it: real processes, a data folder, free ports, and a hand on the kill switch."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from services.local.child import answers
from services.local.run_file import RunInfo, running_up
from services.runtime.settings import read_keys
from tests.ports import free_ports

START_SECONDS = 90.0
SERVICES = ("collector", "identity", "attributor", "reports")


class Installation:
    """One data folder, and the `up` on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        port, reports_port = free_ports(1), free_ports(1)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLOSEDLOOP_")},
            "CLOSEDLOOP_DATA_DIR": str(data_dir),
            "CLOSEDLOOP_OPS_PORT": str(free_ports(len(SERVICES))),
            "CLOSEDLOOP_PORT": str(port),
            "CLOSEDLOOP_REPORTS_PORT": str(reports_port),
        }
        self.collector = f"http://127.0.0.1:{port}"
        self.reports = f"http://127.0.0.1:{reports_port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.output = data_dir.with_suffix(".out")

    @property
    def keys(self) -> dict[str, str]:
        return read_keys(self.data_dir)

    @property
    def admin(self) -> dict[str, str]:
        """The header of a server that may send everything."""
        return {"Authorization": f"Bearer {self.keys['admin_token']}"}

    def start(self) -> None:
        """Start `up` and wait until all services are ready."""
        with self.output.open("ab") as output:
            command = [sys.executable, "-m", "services.cli", "up"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready()
        except AssertionError:
            self.process.terminate()
            raise

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.output.read_text(errors="replace")[-4000:]
            info = self.info()
            if info is not None and len(info.services) == len(SERVICES):
                ops = int(self.environment["CLOSEDLOOP_OPS_PORT"])
                if all(answers(info.ops_host, ops + place) for place in range(len(SERVICES))):
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready in time\n{self.output.read_text(errors='replace')[-4000:]}")

    def info(self) -> RunInfo | None:
        info = running_up(self.data_dir)
        return info if info is not None and self.process and info.supervisor.pid == self.process.pid else None

    def kill(self, target: str) -> None:
        """`kill -9` a service, `postgres`, the `supervisor`, or `everything`. Starts `up` again where that ended it."""
        assert self.process is not None
        info = self.info()
        services = {name: process.pid for name, process in (info.services if info else {}).items()}
        everything = {**services, "postgres": self._postmaster(), "supervisor": self.process.pid}
        for pid in list(everything.values()) if target == "everything" else [everything.get(target)]:
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if target in {"supervisor", "everything"}:
            self.process.wait()
            self.start()

    def stop(self, sign: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Stop it as Ctrl-C does; its exit code, and the seconds that it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(sign)
        return self.process.wait(60), time.monotonic() - began

    def post(self, events: list[dict[str, Any]]) -> None:
        """Send the events until they are accepted, as a sender with patience does: the same ids again and again."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.post(f"{self.collector}/v1/events", json=events, headers=self.admin, timeout=15)
                if answer.status_code < 500:
                    assert answer.json() == {"accepted": len(events), "rejected": []}, answer.text
                    return
            time.sleep(0.2)
        raise AssertionError("the collector did not come back")

    def get(self, path: str, **query: str) -> Any:
        """An answer of the reports API."""
        answer = httpx.get(f"{self.reports}/api/v1/{path}", params=query, headers=self.admin, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def settle(self, seconds: float = 90) -> None:
        """Wait until everything logged has had its effects."""
        deadline = time.monotonic() + seconds
        status: Any = None
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError, AssertionError):
                status = self.get("status")
                if status["settled"]:
                    return
            time.sleep(0.1)
        raise AssertionError(f"not settled in time: {json.dumps(status)}")

    def command(self, *arguments: str) -> str:
        """What a command prints that runs beside the `up`."""
        command = [sys.executable, "-m", "services.cli", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def _postmaster(self) -> int | None:
        try:
            return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
