"""How long it takes from the collector's 202 to the reports API, on a whole installation: a form's lead when it is idle and
at half of what it carries, and what a late event of a won deal's lead does to the deal's credits, at half load as well."""

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.bench.measuring import Finding, Scale
from tests.bench.traffic import ENTRIES, customer, new_id, won
from tests.bench.whole import (
    PATIENCE_SECONDS,
    REQUEST_EVENTS,
    Freshness,
    Load,
    Try,
    as_sent,
    carried,
    percentiles,
    requests,
    running,
    send,
    timed,
)
from tests.builders import JANUARY, SITE, page
from tests.e2e.installation import Installation

MEDIAN_MS, P99_MS = 150, 500
TOUCHES = 5
"""Of each lead's journey, before the late one."""
DAY = timedelta(days=1)


def measure(folder: Path, seed: int, scale: Scale, tell: Callable[[str], None]) -> list[Finding]:
    """Time forms one by one; find out what the installation carries; time forms, and late events, beside half of that."""
    rng, bodies = random.Random(seed), requests(seed)
    with running(folder) as installation, httpx.Client(headers=installation.admin, timeout=PATIENCE_SECONDS) as client:
        tell("a whole installation runs")
        idle = timed(rng, client, installation, forms(rng, scale.forms), tell)
        late = late_events(rng, client, installation, scale.forms)
        most = carried(client, installation, list(itertools.islice(bodies, scale.burst // REQUEST_EVENTS)))
        tell(f"the installation carries {most:,.0f} events a second")
        with Load(installation, bodies, most / 2) as load:
            busy = timed(rng, client, installation, forms(rng, scale.forms), tell)
            credited = timed(rng, client, installation, late, tell)
    half = f"beside {load.rate:,.0f} events/s of {most:,.0f} that it carries"
    return [
        *findings("form to lead in the reports API, idle", idle),
        *findings(f"form to lead in the reports API, {half}", busy),
        slowest(f"late event to its deal's new credits in the reports API, {half}", credited),
    ]


def findings(what: str, freshness: Freshness) -> list[Finding]:
    """Median and 99th percentile, in milliseconds."""
    median, _ = percentiles(freshness.visible)
    durable = "{:.0f} ms, p99 {:.0f} ms".format(*percentiles(freshness.accepted))
    return [
        Finding(
            f"{what}: p50", f"{median:.0f} ms, after a 202 in {durable}", f"under {MEDIAN_MS} ms", median < MEDIAN_MS
        ),
        slowest(what, freshness),
    ]


def slowest(what: str, freshness: Freshness) -> Finding:
    """The 99th percentile, in milliseconds, and the median beside it."""
    median, p99 = percentiles(freshness.visible)
    return Finding(f"{what}: p99", f"{p99:.0f} ms, p50 {median:.0f} ms", f"under {P99_MS} ms", p99 < P99_MS)


def forms(rng: random.Random, count: int) -> list[Try]:
    """Forms of people who were never heard of."""
    return [form(new_id(rng), f"{new_id(rng)}@customer.example") for _ in range(count)]


def form(visitor: str, email: str) -> Try:
    sent = {"type": "form", "visitor_id": visitor, "url": SITE + "contact", "email": email}
    return Try(orjson.dumps(sent), "leads", {"email": email}, lambda answer: bool(answer["leads"]))


def late_events(rng: random.Random, client: httpx.Client, installation: Installation, count: int) -> list[Try]:
    """Visits, heard of late, of leads whose deals are won and credited by now."""
    tries = []
    for number in range(count):
        email = f"late{number}@customer.example"
        visits, deal = list(customer(rng, email, TOUCHES, JANUARY)), won(rng, email, JANUARY)
        send(client, installation, orjson.dumps([as_sent(event) for event in (*visits, deal)]))
        tries.append(late_event(rng, visits[0], deal["deal_id"]))
    installation.settle()
    return tries


def late_event(rng: random.Random, first: dict[str, Any], deal_id: str) -> Try:
    """A visit from an advertisement a few hours after the first one."""
    url, referrer = ENTRIES[0]
    at = JANUARY - (TOUCHES - 1) * DAY - DAY / 4
    sent = as_sent(page(first["visitor_id"], new_id(rng), at, url, referrer=referrer))
    return Try(
        orjson.dumps(sent), f"deals/bench:{deal_id}/credits", {}, lambda answer: len(answer["credits"]) > TOUCHES
    )
