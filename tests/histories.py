"""Random histories for the law: few visitors, people and ids, so that everything collides with everything."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.builders import BING, GOOGLE, GOOGLE_AD, INSIDE, NEWSLETTER, SITE, at, contact, deal, make_event

VISITORS = ["laptop", "phone", "library", "tablet"]
MAILS = [f"{name}@x.org" for name in ("ann", "ben", "cem", "dot", "eva", "fay", "gus", "hal")]
USERS = ["1", "2", "3"]
PAGES = [SITE, SITE, SITE, GOOGLE_AD, NEWSLETTER, SITE + "?gclid=x7", GOOGLE_AD + "&gclid=x8", None]
REFERRERS = [None, None, GOOGLE, BING, INSIDE, INSIDE]
MINUTES = [0, 1, 5, 29, 30, 31, 60, 120, 239, 240, 241, 720, 1440]


@dataclass(frozen=True)
class World:
    """What one history draws from: who there is, how often they tell who they are, and how far apart its days are."""

    visitors: list[str]
    mails: list[str]
    users: list[str]
    office: str | None
    """A login that many use."""
    talkative: float
    people: float
    """How many of the hits name somebody."""
    days: list[int]


def make_history(random: Random, size: int = 40) -> list[dict[str, Any]]:
    """Logged events, in no order that means anything; some share an event id with another body."""
    users = [str(number) for number in range(1, random.choice([3, 9]))]
    world = World(
        visitors=VISITORS[: random.choice([1, 2, 4])],
        mails=MAILS[: random.choice([3, 8])],
        users=users,
        office=random.choice([None, None, users[0]]),
        talkative=random.choice([0.1, 0.5]),
        people=random.choice([0.1, 0.3]),
        days=random.choice([[1, 1, 2], [1, 2, 50, 91, 92, 140], list(range(1, 40))]),
    )
    return [random_event(random, world) for _ in range(size)]


def random_event(random: Random, world: World) -> dict[str, Any]:
    kind = random.choices(["hit", "deal", "contact"], [15, 3, world.talkative])[0]
    if kind == "deal":
        return random_deal(random, world)
    moment = random_time(random, world)
    if kind == "contact":
        return contact(f"c{random.randrange(6)}", moment, random.choice("789"), random.choice(world.mails))
    who = random_person(random, world) if random.random() < world.people else {}
    cookie = {"visitor_id": random.choice(world.visitors)} if not who or random.random() < 0.9 else {}
    page = {"url": random.choice(PAGES), "referrer": random.choice(REFERRERS)}
    fields = {name: value for name, value in page.items() if value is not None}
    what = random.choice((["form", "identify"] if who else ["pageview", "click", "custom"]) * 3 + ["email_open"])
    return make_event(what, f"e{random.randrange(40)}", moment, **cookie, **fields, **who)


def random_person(random: Random, world: World) -> dict[str, Any]:
    mail = {"email": random.choice(world.mails)} if random.random() < 0.8 else {}
    has_user = world.office is not None or random.random() < world.talkative or not mail
    user = {"user_id": world.office or random.choice(world.users)} if has_user else {}
    previous = {"previous_id": random.choice(world.users)} if random.random() < world.talkative / 4 else {}
    return mail | user | previous


def random_deal(random: Random, world: World) -> dict[str, Any]:
    people = [
        {"email": random.choice(world.mails)}
        | ({"contact_id": random.choice("789")} if random.random() < world.talkative else {})
        for _ in range(random.randrange(4))
    ]
    dates = {name: random_date(random, world) for name in ("created_at", "closed_at") if random.random() < 0.6}
    return deal(
        f"d{random.randrange(3)}",
        f"v{random.randrange(12)}",
        random_time(random, world),
        random.choices(["won", "open", "lost", "deleted"], [7, 1, 1, 1])[0],
        contacts=people,
        amount=random.choice(["100.00", "99.99", "0.01", "0"]),
        currency="EUR",
        **dates,
    )


def random_date(random: Random, world: World) -> str:
    moment = random_time(random, world)
    return f"{moment:%Y-%m-%d}" if random.random() < 0.5 else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def random_time(random: Random, world: World) -> datetime:
    """On each of a few days, with pauses around every limit of a visit."""
    return at(day=random.choice(world.days)) + timedelta(minutes=sum(random.choices(MINUTES, k=random.randrange(4))))
