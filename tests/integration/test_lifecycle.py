"""The life of a service's process, as the supervisor and an operator see it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ports import free_ports

PROGRAM = Path(__file__).with_name("service_of_nothing.py")


@pytest.fixture
def ops_port():
    """The setting whose successor is free."""
    return free_ports(1) - 1


@contextmanager
def service(behaviour, ops_port, tmp_path, **settings):
    environment = {
        "PATH": os.environ["PATH"],
        "CLOSEDLOOP_ID_KEY": "0123456789abcdef",
        "CLOSEDLOOP_OPS_PORT": str(ops_port),
    }
    command = [sys.executable, PROGRAM, behaviour]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment | settings, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(ops_port, path):
    deadline = time.monotonic() + 10
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{ops_port + 1}{path}")
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_service_finish_and_ends_it_with_0(ops_port, tmp_path, sign):
    with service("waits", ops_port, tmp_path) as process:
        assert ask(ops_port, "/healthz").status_code == 200
        assert ask(ops_port, "/readyz").json()["checks"] == {"ready": {"ok": True, "detail": ""}}
        assert "closedloop_appended_total" in ask(ops_port, "/metrics").text
        assert ask(ops_port, "/else").status_code == 404
        process.send_signal(sign)
        time.sleep(0.05)
        assert ask(ops_port, "/readyz").status_code == 503
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["started", "stopping", "stopped"]


def test_a_service_that_still_waits_for_what_it_needs_ends_at_once(ops_port, tmp_path):
    with service("begins", ops_port, tmp_path) as process:
        assert ask(ops_port, "/readyz").status_code == 503
        process.terminate()
        process.communicate(timeout=5)
    assert process.returncode == 0


def test_a_service_that_does_not_finish_in_time_is_ended_and_says_so(ops_port, tmp_path):
    with service("hangs", ops_port, tmp_path) as process:
        assert ask(ops_port, "/readyz").status_code == 200
        process.terminate()
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert json.loads(output.splitlines()[-1])["message"] == "not done in time; ended hard"


def test_a_missing_setting_is_one_line_and_exit_code_78(ops_port, tmp_path):
    with service("waits", ops_port, tmp_path, CLOSEDLOOP_ID_KEY="") as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (78, "")
    assert errors.startswith("closedloop nothing: CLOSEDLOOP_ID_KEY is not set.")
    assert errors.count("\n") == 1


def test_what_the_service_refuses_to_start_with_is_one_line(ops_port, tmp_path):
    with service("refuses", ops_port, tmp_path) as process:
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (1, "closedloop nothing: the moon is not full; wait for it\n")


def test_a_taken_ops_port_is_one_line_that_names_the_setting(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1] - 1
        with service("waits", port, tmp_path) as process:
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "CLOSEDLOOP_OPS_PORT" in errors
    assert errors.count("\n") == 1


def test_a_crash_is_logged_with_its_place_and_without_values(ops_port, tmp_path):
    with service("fails", ops_port, tmp_path) as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (1, "")
    crash = json.loads(output.splitlines()[-1])
    assert crash["error"] == "ValueError: cannot take …"
    assert crash["stack"][-1].endswith(" fails")
    assert "ann@x.example" not in output
