"""What the bench sends: a busy shop's visits, as they come in, made from a seed."""

import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from schemas.instant import format_instant
from tests.builders import GOOGLE, JANUARY, SITE, deal, form, page

ENTRIES = (
    (SITE + "shoes?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=EAIaIQobChMI0aX", GOOGLE),
    (SITE + "blog/how-to-choose", GOOGLE),
    (SITE + "sale?utm_source=newsletter&utm_medium=email&utm_campaign=march", None),
    (SITE + "shoes/42?utm_source=facebook&utm_medium=paid_social&utm_campaign=lookalike", "https://www.facebook.com/"),
    (SITE + "shoes/38", "https://chatgpt.com/"),
    (SITE, None),
)
RETURNING = 0.4
"""The part of visits made by somebody who was here before."""
FORMS = 0.22
"""The part of visits that end with a form: one event in twenty."""
LONGEST_VISIT = 6
EVERY = timedelta(seconds=1)
"""A visit begins this often."""
BROWSER = {"viewport": "1440x900", "language": "en-GB", "screen": "2880x1800"}


def traffic(seed: int) -> Iterator[dict[str, Any]]:
    """Logged events of many visitors at once, in the order of their times, without an end."""
    rng = random.Random(seed)
    visitors: list[str] = []
    coming: list[tuple[str, str, dict[str, Any]]] = []
    for number in itertools.count():
        begins = JANUARY + number * EVERY
        for event in visit(rng, visitors, begins):
            heappush(coming, (event["occurred_at"], event["event_id"], event))
        while coming and coming[0][0] < format_instant(begins):
            yield heappop(coming)[2]


def visit(rng: random.Random, visitors: list[str], begins: datetime) -> Iterator[dict[str, Any]]:
    """One visit: an entry, some pages, perhaps a form. A new visitor joins `visitors`."""
    if not visitors or rng.random() > RETURNING:
        visitors.append(new_id(rng))
        visitor = visitors[-1]
    else:
        visitor = rng.choice(visitors)
    url, referrer = rng.choice(ENTRIES)
    about = {"title": "Running shoes for every road", "properties": BROWSER, "address": "192.0.2.0"}
    at = begins
    for _ in range(rng.randint(1, LONGEST_VISIT)):
        yield page(visitor, new_id(rng), at, url, referrer=referrer, **about)
        url, referrer = f"{SITE}shoes/{rng.randint(1, 500)}", url
        at += timedelta(seconds=rng.randint(5, 90))
    if rng.random() < FORMS:
        yield form(visitor, new_id(rng), at, f"{visitor[:12]}@customer.example", **about)


def customer(rng: random.Random, email: str, touches: int, until: datetime) -> Iterator[dict[str, Any]]:
    """A visitor who came once a day, each time from somewhere, and says who it is on the last of the days."""
    visitor = new_id(rng)
    for days in reversed(range(1, touches + 1)):
        url, referrer = ENTRIES[days % len(ENTRIES)]
        yield page(visitor, new_id(rng), until - timedelta(days=days), url, referrer=referrer)
    yield form(visitor, new_id(rng), until - timedelta(days=1, minutes=-1), email)


def won(rng: random.Random, email: str, at: datetime) -> dict[str, Any]:
    """A won deal of one contact."""
    amount = f"{rng.randint(1_000, 9_999_999) / 100:.2f}"
    return deal(new_id(rng), new_id(rng), at, provider="bench", contacts=[{"email": email}], amount=amount)


def new_id(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032x}"
