"""The services start on what their Deployments give them, and bear that neither Kafka nor Postgres is there yet."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.k8s.manifests import BASE, Cluster, container_of, pod_of, render, secrets_of
from tests.k8s.test_services import REAL, SERVICES
from tests.ports import free_ports

START_SECONDS = 30


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_lives_unready_through_an_outage_and_ends_in_time(kubectl: None, name: str) -> None:
    deployment = Cluster(render(BASE)).services[name]
    port, kafka, postgres = (free_ports(1) for _ in range(3))
    ops = free_ports(len(SERVICES))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CLOSEDLOOP_")}
    environment |= Cluster(render(BASE)).settings
    environment |= {key: REAL[key] for key in secrets_of(deployment)}
    environment |= {
        "CLOSEDLOOP_BROKER": f"kafka://127.0.0.1:{kafka}",
        "CLOSEDLOOP_HOST": "127.0.0.1",
        "CLOSEDLOOP_PORT": str(port),
        "CLOSEDLOOP_REPORTS_PORT": str(port),
        "CLOSEDLOOP_OPS_PORT": str(ops),
    }
    if "CLOSEDLOOP_DATABASE_URL" in environment:
        environment["CLOSEDLOOP_DATABASE_URL"] = f"postgresql://closedloop:secret@127.0.0.1:{postgres}/closedloop"
    command = [sys.executable, "-m", "services.cli", *container_of(deployment)["command"][1:]]
    with running(command, environment) as process:
        address = f"http://127.0.0.1:{ops + list(SERVICES).index(name)}"
        wait_until_it_answers(f"{address}/healthz", process)
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.get(f"{address}/readyz").status_code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(pod_of(deployment)["terminationGracePeriodSeconds"]) == 0


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"it ended with {process.returncode}"
        try:
            httpx.get(address)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{address} does not answer")
