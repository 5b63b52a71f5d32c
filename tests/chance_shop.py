"""A shop of chance for the reports on whole journeys, and what its events come to by the reference model."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.deal import Deal, Stage
from tests.builders import GOOGLE, JANUARY, SITE, contact, deal, form, make_event, page
from tests.reference.counting import records_of, that_count
from tests.reference.deals import Journey, Touch, journey_of, newest_deals, touches_of
from tests.reference.offline import offline_touches_of
from tests.reference.people import People, people_of
from tests.reference.visits import Visit, visits_of

DAY = timedelta(days=1)
POUND = {"date": "2025-12-01", "from": "GBP", "to": "EUR", "rate": "1.25"}
"""The only rate: money in dollars stays apart."""

LINKS = (
    "?utm_source=google&utm_medium=cpc&utm_campaign=spring",
    "?utm_source=google&utm_medium=cpc&utm_campaign=old+%3E+new",
    "?utm_source=newsletter&utm_medium=email#offer",
    "",
    "?x=1",
)
PAGES = ("", "shoes", "prices", "about", "boots/42")

Events = Iterator[dict[str, Any]]


def some_shop(random: Random) -> list[dict[str, Any]]:
    """Two months: some visitors with two devices, some known, and deals of some of those, in three currencies."""
    made = [make_event("rate", "rate", JANUARY, **POUND)]
    for number in range(70):
        begun = JANUARY + random.random() * 40 * DAY
        devices = [f"v{number}-{device}" for device in range(random.choice([1, 1, 2]))]
        for device in devices:
            made += one_device(random, device, begun, f"p{number}@x.org" if number % 3 else None)
        made += away_from_the_site(random, number, begun, devices[0])
        for which in range(random.choice([0, 0, 1, 2]) if number % 3 else 0):
            made.append(one_deal(random, f"d{number}-{which}", begun + 10 * DAY, f"p{number}@x.org"))
    random.shuffle(made)
    return made


def one_device(random: Random, device: str, begun: datetime, mail: str | None) -> Events:
    """Some visits, the last drawn of them with a form where there is an address."""
    moment = begun
    for which in range(random.choice([1, 2, 4])):
        moment = begun + random.random() * 25 * DAY
        arrived = {"referrer": random.choice([GOOGLE, "https://partner.example/a"])} if random.random() < 0.3 else {}
        landed = SITE + random.choice(PAGES) + random.choice(LINKS)
        yield page(device, f"{device} {which}", moment, landed, **arrived)
        for step in range(random.choice([0, 0, 1, 3])):
            moment += timedelta(minutes=random.randint(0, 9))
            url, name = SITE + random.choice(PAGES) + random.choice(["", "?page=2", "#top"]), f"{device} {which} {step}"
            if random.random() < 0.2:
                named = {"name": random.choice(["Price list", "Manual "])} if random.random() < 0.7 else {}
                yield make_event("download", name, moment, visitor_id=device, url=url, **named)
            else:
                yield page(device, name, moment, url, referrer=SITE)
    if mail:
        yield form(device, f"{device} form", moment + timedelta(minutes=1), mail)


def away_from_the_site(random: Random, number: int, begun: datetime, device: str) -> Events:
    """What a CRM knows of some, and a fair that some came to, who named themselves, or their browser did, or nobody."""
    mail = f"p{number}@x.org"
    if number % 4 == 1:
        yield contact(f"contact {number}", begun - 2 * DAY, f"c{number}", mail)
    if number % 5 == 1:
        caller = random.choice([{"email": mail}, {"visitor_id": device}, {}])
        yield make_event("touch", f"fair {number}", begun + DAY, **caller, source="fair", medium="offline")


def one_deal(random: Random, deal_id: str, created: datetime, mail: str) -> dict[str, Any]:
    """A deal of any stage; with and without an owner, a date of its creation and, unless it is won, of its end."""
    stage = random.choice(["won", "won", "won", "open", "lost", "deleted"])
    if stage == "deleted":
        return deal(deal_id, deal_id, created + 35 * DAY, stage)
    closed = created + random.random() * 30 * DAY
    body = {"amount": f"{random.randint(1, 90000) / 100:.2f}", "currency": random.choice(["EUR", "EUR", "USD", "GBP"])}
    body |= {"created_at": created.isoformat()} if random.random() < 0.8 else {}
    body |= {"closed_at": closed.isoformat()} if stage == "won" or random.random() < 0.5 else {}
    body |= random.choice([{}, {"owner": "Rita"}, {"owner": "Omar"}])
    people = [{"email": random.choice([mail, mail, "stranger@x.org"])}]
    return deal(deal_id, deal_id, created + 35 * DAY, stage, **body, contacts=people)


class Truth(NamedTuple):
    """What events come to."""

    visits: list[Visit]
    touches: list[Touch]
    people: People
    deals: list[Deal]
    won: list[Journey]


def truth_of(events: list[dict[str, Any]]) -> Truth:
    records = records_of(events)
    counting = that_count(records)
    people = people_of(records, counting)
    visits = visits_of(counting, people)
    touches = touches_of(visits, offline_touches_of(counting, people, visits))
    deals = newest_deals(counting, ZoneInfo("UTC"))
    won = [journey_of(each, touches, people, counting, 90 * DAY) for each in deals if each.stage is Stage.won]
    return Truth(visits, touches, people, deals, won)


def null_journeys(truth: Truth, touches: list[Touch]) -> list[list[Touch]]:
    """Of these touches, by lead, or by visitor where no lead owns them, those of whoever never won."""
    winners = {truth.people.lead[name] for journey in truth.won for name in journey.deal.contacts}
    found: defaultdict[object, list[Touch]] = defaultdict(list)
    for touch in touches:
        if (touch.owner or touch.visitor_id) and touch.owner not in winners:
            found[touch.owner or touch.visitor_id].append(touch)
    return [
        sorted(each, key=lambda touch: (touch.occurred_at, touch.touch_id, touch.visitor_id)) for each in found.values()
    ]
