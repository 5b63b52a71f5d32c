"""How long a lead takes from a form's 202 to the reports API, on a whole installation: idle, and at half of what it carries."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple, Self

import httpx
import orjson

from tests.bench.measuring import Finding, Scale
from tests.bench.traffic import new_id, traffic
from tests.builders import SITE
from tests.e2e.installation import Installation

LOOK_SECONDS = 0.004
LONGEST_PAUSE_SECONDS = 0.1
"""Between two forms, at random, so that no consumer's poll keeps step with them."""
PATIENCE_SECONDS = 30.0
TOLD_EVERY = 20
REQUEST_EVENTS = 50
"""Of each request of the load."""
MEDIAN_MS, P99_MS = 150, 500
STAMPED = frozenset({"received_at", "address", "person"})
"""What the collector adds; a browser sends personal values among the others."""


class Freshness(NamedTuple):
    """Seconds, form by form."""

    accepted: list[float]
    """From sending it to the collector's 202: it is durable."""
    visible: list[float]
    """From there to its lead in the reports API."""


def measure(folder: Path, seed: int, scale: Scale, tell: Callable[[str], None]) -> list[Finding]:
    """Send forms one by one and look for the lead of each; find out what the installation carries; send forms again while
    it gets half of that."""
    rng, bodies = random.Random(seed), requests(seed)
    with running(folder) as installation, httpx.Client(headers=installation.admin, timeout=PATIENCE_SECONDS) as client:
        tell("a whole installation runs")
        idle = time_forms(rng, client, installation, scale.forms, tell)
        most = carried(client, installation, list(itertools.islice(bodies, scale.burst // REQUEST_EVENTS)))
        tell(f"the installation carries {most:,.0f} events a second")
        with Load(installation, bodies, most / 2) as load:
            busy = time_forms(rng, client, installation, scale.forms, tell)
    half = f"beside {load.rate:,.0f} events/s of {most:,.0f} that it carries"
    return [*findings("idle", idle), *findings(half, busy)]


def findings(when: str, freshness: Freshness) -> list[Finding]:
    """Median and 99th percentile, in milliseconds."""
    median, p99 = percentiles(freshness.visible)
    durable = "{:.0f} ms, p99 {:.0f} ms".format(*percentiles(freshness.accepted))
    what = f"form to lead in the reports API, {when}"
    return [
        Finding(
            f"{what}: p50", f"{median:.0f} ms, after a 202 in {durable}", f"under {MEDIAN_MS} ms", median < MEDIAN_MS
        ),
        Finding(f"{what}: p99", f"{p99:.0f} ms", f"under {P99_MS} ms", p99 < P99_MS),
    ]


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000


def time_forms(
    rng: random.Random, client: httpx.Client, installation: Installation, forms: int, tell: Callable[[str], None]
) -> Freshness:
    """Send forms, each when the lead of the one before was seen."""
    freshness = Freshness([], [])
    for number in range(1, forms + 1):
        time.sleep(rng.uniform(0, LONGEST_PAUSE_SECONDS))
        email = f"{new_id(rng)}@customer.example"
        sent = time.perf_counter()
        send_form(client, installation, new_id(rng), email)
        accepted = time.perf_counter()
        wait_for_lead(client, installation, email)
        freshness.accepted.append(accepted - sent)
        freshness.visible.append(time.perf_counter() - accepted)
        if number % TOLD_EVERY == 0:
            tell(f"{number} of {forms} forms have become leads")
    return freshness


@contextmanager
def running(folder: Path) -> Iterator[Installation]:
    """`closedloop up` on a new data folder."""
    installation = Installation(folder)
    try:
        installation.start()
        yield installation
    finally:
        if installation.process is not None:
            installation.stop()


def send_form(client: httpx.Client, installation: Installation, visitor: str, email: str) -> None:
    form = {"type": "form", "visitor_id": visitor, "url": SITE + "contact", "email": email}
    send(client, installation, orjson.dumps(form))


def send(client: httpx.Client, installation: Installation, body: bytes) -> None:
    answer = client.post(f"{installation.collector}/v1/events", content=body)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise RuntimeError(f"the collector answered {answer.status_code}: {answer.text}")


def wait_for_lead(client: httpx.Client, installation: Installation, email: str) -> None:
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        answer = client.get(f"{installation.reports}/api/v1/leads", params={"email": email})
        if answer.status_code == httpx.codes.OK and answer.json()["leads"]:
            return
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"no lead after {PATIENCE_SECONDS:.0f} s")


def requests(seed: int) -> Iterator[bytes]:
    """Bodies with the bench's traffic, as a server sends what it has gathered."""
    sent = (
        {**{name: value for name, value in event.items() if name not in STAMPED}, **event.get("person", {})}
        for event in traffic(seed)
    )
    while True:
        yield orjson.dumps(list(itertools.islice(sent, REQUEST_EVENTS)))


def carried(client: httpx.Client, installation: Installation, bodies: Sequence[bytes]) -> float:
    """Events a second, from the first request until all of them have had all their effects."""
    began = time.perf_counter()
    for body in bodies:
        send(client, installation, body)
    installation.settle()
    return len(bodies) * REQUEST_EVENTS / (time.perf_counter() - began)


class Load:
    """Sends so many events a second, from a thread of its own, while the block lasts."""

    def __init__(self, installation: Installation, bodies: Iterator[bytes], rate: float) -> None:
        self._installation = installation
        self._bodies = bodies
        self._pause = REQUEST_EVENTS / rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: Exception | None = None
        self.rate = 0.0
        """What it came to in the end, events a second."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        """Each request at its time, counted from the start: one that is late does not put off those after it."""
        began, sent = time.perf_counter(), 0
        try:
            with httpx.Client(headers=self._installation.admin, timeout=PATIENCE_SECONDS) as client:
                while not self._over.wait(max(0.0, began + sent * self._pause - time.perf_counter())):
                    send(client, self._installation, next(self._bodies))
                    sent += 1
        except (httpx.TransportError, RuntimeError) as error:
            self._error = error
        self.rate = sent * REQUEST_EVENTS / (time.perf_counter() - began)
