"""A whole installation under load: what is sent to its collector, and how long until the reports API tells of it."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple, Self

import httpx
import orjson

from tests.bench.traffic import traffic
from tests.e2e.installation import Installation

LOOK_SECONDS = 0.004
TIMES_LOOKED = 2
"""Between two looks, of what one takes: who looks all the time is a load of its own."""
LONGEST_PAUSE_SECONDS = 0.1
"""Between two that are timed, at random, so that no consumer's poll keeps step with them."""
PATIENCE_SECONDS = 30.0
TOLD_EVERY = 20
REQUEST_EVENTS = 50
"""Of each request of the load."""
STAMPED = frozenset({"received_at", "address", "person"})
"""What the collector adds; a browser sends personal values among the others."""


class Try(NamedTuple):
    """Something to send, and how the reports API tells that it has had its effect."""

    body: bytes
    path: str
    """Under /api/v1."""
    query: dict[str, str]
    is_told: Callable[[Any], bool]
    """Whether this answer has the effect in it."""


class Freshness(NamedTuple):
    """Seconds, try by try."""

    accepted: list[float]
    """From sending it to the collector's 202: it is durable."""
    visible: list[float]
    """From there to its effect in the reports API."""


def timed(
    rng: random.Random,
    client: httpx.Client,
    installation: Installation,
    tries: Sequence[Try],
    tell: Callable[[str], None],
) -> Freshness:
    """Send one after the other, each when the effect of the one before was seen."""
    freshness = Freshness([], [])
    for number, each in enumerate(tries, 1):
        time.sleep(rng.uniform(0, LONGEST_PAUSE_SECONDS))
        sent = time.perf_counter()
        send(client, installation, each.body)
        accepted = time.perf_counter()
        wait_for(client, installation, each)
        freshness.accepted.append(accepted - sent)
        freshness.visible.append(time.perf_counter() - accepted)
        if number % TOLD_EVERY == 0:
            tell(f"{number} of {len(tries)} seen at /{each.path}")
    return freshness


def wait_for(client: httpx.Client, installation: Installation, wanted: Try) -> None:
    """Raises RuntimeError when the reports API does not tell of it in time."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        answer = client.get(f"{installation.reports}/api/v1/{wanted.path}", params=wanted.query)
        if answer.status_code == httpx.codes.OK and wanted.is_told(answer.json()):
            return
        time.sleep(max(LOOK_SECONDS, TIMES_LOOKED * answer.elapsed.total_seconds()))
    raise RuntimeError(f"/{wanted.path} does not tell of it after {PATIENCE_SECONDS:.0f} s")


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000


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


def send(client: httpx.Client, installation: Installation, body: bytes) -> None:
    answer = client.post(f"{installation.collector}/v1/events", content=body)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise RuntimeError(f"the collector answered {answer.status_code}: {answer.text}")


def requests(seed: int) -> Iterator[bytes]:
    """Bodies with the bench's traffic, as a server sends what it has gathered."""
    sent = map(as_sent, traffic(seed))
    while True:
        yield orjson.dumps(list(itertools.islice(sent, REQUEST_EVENTS)))


def as_sent(event: dict[str, Any]) -> dict[str, Any]:
    """A logged event as a server had sent it."""
    return {**{name: value for name, value in event.items() if name not in STAMPED}, **event.get("person", {})}


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
