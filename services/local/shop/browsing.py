"""The steps of one visit. Whatever the habit, it stays one visit by the rules of sessions."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.local.shop.history import SITE
from services.local.shop.sources import Arrival

PAGES = {
    "/": "Ledgerly: accounting that closes itself",
    "/pricing": "Pricing",
    "/features/bank-feeds": "Bank feeds",
    "/features/invoices": "Invoices",
    "/customers": "Our customers",
    "/blog/month-end-in-a-day": "Month end in a day",
    "/blog/vat-without-tears": "VAT without tears",
    "/webinar": "Webinar: the paperless office",
    "/docs/getting-started": "Getting started",
}
PAYMENT = "https://checkout.stripe.com/pay"
"""A payment page sends its visitors back; that is no new source."""

HABITS = {
    "clicks through": 80,
    "single-page app repeats its referrer": 6,
    "leaves the tab open for hours": 5,
    "comes back from the payment page": 3,
    "types the address again": 3,
    "clicks the same link again": 3,
}


@dataclass(frozen=True, slots=True)
class Step:
    """A hit before it has a sender and an id."""

    at: datetime
    url: str
    referrer: str | None
    title: str


def browse(rng: random.Random, at: datetime, arrival: Arrival) -> list[Step]:
    """One visit from `at` on: one to six pages, at most 4 hours long, every step later than the one before."""
    page = rng.choice(list(PAGES))
    habit = rng.choices(list(HABITS), list(HABITS.values()))[0]
    steps = [Step(at, arrival.landing(SITE + page, rng), arrival.referrer, PAGES[page])]
    for _ in range(rng.choices(range(6), (30, 25, 20, 12, 8, 5))[0]):
        page = rng.choice(list(PAGES))
        referrer = arrival.referrer if habit.startswith("single-page") else steps[-1].url
        steps.append(Step(later(rng, steps[-1].at, 8, 300), SITE + page, referrer, PAGES[page]))
    last = steps[-1]
    match habit:
        case "leaves the tab open for hours":
            steps.append(Step(later(rng, last.at, 2_400, 12_000), SITE + "/pricing", last.url, PAGES["/pricing"]))
        case "comes back from the payment page":
            steps.append(Step(later(rng, last.at, 40, 400), SITE + "/thank-you", PAYMENT, "Thank you"))
        case "types the address again":
            steps.append(Step(later(rng, last.at, 40, 1_500), SITE + "/", None, PAGES["/"]))
        case "clicks the same link again":
            url = arrival.landing(SITE + "/", rng)
            steps.append(Step(later(rng, last.at, 40, 1_500), url, arrival.referrer, PAGES["/"]))
    return steps


def later(rng: random.Random, at: datetime, least: int, most: int) -> datetime:
    """Some `least` to `most` seconds after `at`, to the microsecond."""
    return at + timedelta(microseconds=rng.randint(least * 1_000_000, most * 1_000_000))
