"""How long a lead takes from a form's 202 to the reports API, on a whole installation with little else to do."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.bench.traffic import new_id
from tests.builders import SITE
from tests.e2e.installation import Installation

LOOK_SECONDS = 0.004
LONGEST_PAUSE_SECONDS = 0.1
"""Between two forms, at random, so that no consumer's poll keeps step with them."""
PATIENCE_SECONDS = 30.0
TOLD_EVERY = 20


class Freshness(NamedTuple):
    """Seconds, form by form."""

    accepted: list[float]
    """From sending it to the collector's 202: it is durable."""
    visible: list[float]
    """From there to its lead in the reports API."""


def measure(folder: Path, seed: int, forms: int, tell: Callable[[str], None]) -> Freshness:
    """Send forms one by one, and look for the lead of each."""
    rng = random.Random(seed)
    freshness = Freshness([], [])
    with running(folder) as installation, httpx.Client(headers=installation.admin, timeout=PATIENCE_SECONDS) as client:
        tell("a whole installation runs")
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
    answer = client.post(f"{installation.collector}/v1/events", json=form)
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
