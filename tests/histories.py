"""Histories for the law: few visitors, people and ids, so that everything collides with everything.

What collides: shared and second devices, people who merge, are cut apart and joined again, times that are equal or a
breath apart, two bodies under one event id (of one type or of two, of one visitor or of several), contacts whose e-mail
changes, users with many e-mails and e-mails with many users, values that are no identifiers, calls and fairs with and
without a visitor, and records that are nobody's.

`make_history` draws one from a seeded random; `histories` is the same as a hypothesis strategy, which shrinks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from tests.builders import BING, GOOGLE, GOOGLE_AD, INSIDE, NEWSLETTER, SITE, at, contact, deal, make_event
from tests.dice import Dice

WORLD_BYTES, EVENT_BYTES = 12, 24

VISITORS = ["laptop", "phone", "büro", "tablet"]
NAMES = ["ann", "ben", "cem", "dot", "eva", "fay", "zoë", "😀"]
PAGES = [SITE, SITE, SITE, GOOGLE_AD, NEWSLETTER, SITE + "?gclid=x7", GOOGLE_AD + "&gclid=x8&fbclid=f", None]
REFERRERS = [None, None, GOOGLE, BING, INSIDE, INSIDE]
MINUTES = [0, 1, 5, 29, 30, 31, 60, 120, 239, 240, 241, 720, 1440]
SKEWS = [timedelta(0)] * 5 + [timedelta(microseconds=1), -timedelta(microseconds=1), timedelta(seconds=1)]
KINDS = ["nothing"] + ["hit"] * 12 + ["deal"] * 3 + ["contact", "statement", "touch"] * 2 + ["unlink"] * 3
BLOCKED = ["null", " Undefined ", "0", "'anonymous'", "[object Object]"]
APART = ["bot", "mail_scanner", "prefetch", "own_visit"]


@dataclass(frozen=True)
class World:
    """What one history draws from: who there is, how often they tell who they are, and how far apart its days are."""

    prefix: str
    """In front of every name and id, so that histories with prefixes of their own never meet."""
    visitors: list[str]
    names: list[str]
    users: list[str]
    office: str | None
    """A login that many use."""
    mailbox: str | None
    """An e-mail address that many use."""
    telling: float
    """How many of the hits name somebody."""
    talkative: float
    """How often somebody gives a second identifier."""
    days: list[int]
    ids: int
    """How many event ids there are."""


def make_history(random: Random, size: int = 40, prefix: str = "") -> list[dict[str, Any]]:
    """Logged events, in no order that means anything; some share an event id with another body."""
    return history_of(random.randbytes(WORLD_BYTES), [random.randbytes(EVENT_BYTES) for _ in range(size)], prefix)


def histories(size: int = 40) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Histories of up to `size` events, and mostly nearly as many: what is shrunk to zeros is no event."""
    world, event = (st.binary(min_size=length, max_size=length) for length in (WORLD_BYTES, EVENT_BYTES))
    return st.builds(history_of, world, st.lists(event, min_size=size, max_size=size))


def history_of(world: bytes, events: list[bytes], prefix: str = "") -> list[dict[str, Any]]:
    place = world_of(Dice(world), prefix)
    drawn = (event_of(Dice(event), place) for event in events)
    return [event for event in drawn if event is not None]


def world_of(dice: Dice, prefix: str) -> World:
    users = [str(number) for number in range(1, dice.pick([3, 9, 9]))]
    names = NAMES[: dice.pick([2, 8, 8, 8])]
    return World(
        prefix=prefix,
        visitors=VISITORS[: dice.pick([1, 2, 4])],
        names=names,
        users=users,
        office=dice.pick([None, users[0]]),
        mailbox=dice.pick([None, None, names[0]]),
        telling=dice.pick([0.6, 0.2, 0.8]),
        talkative=dice.pick([0.5, 0.1, 0.8]),
        days=dice.pick([[1, 1, 2], [1, 2, 50, 91, 92, 140], list(range(1, 40))]),
        ids=dice.pick([40, 40, 12]),
    )


def event_of(dice: Dice, world: World) -> dict[str, Any] | None:
    kind = dice.pick(KINDS)
    if kind == "nothing":
        return None
    event_id, moment = f"{world.prefix}e{dice.pick(range(world.ids))}", time_of(dice, world)
    if kind == "deal":
        return deal_of(dice, world, event_id, moment)
    if kind == "contact":
        return contact(event_id, moment, crm_id(dice, world), mail(dice, world), **provider(dice))
    if kind == "unlink":
        return unlink_of(dice, world, event_id, moment)
    if kind == "touch":
        return touch_of(dice, world, event_id, moment)
    return hit_of(dice, world, event_id, moment, without_visitor=kind == "statement")


def hit_of(dice: Dice, world: World, event_id: str, moment: datetime, *, without_visitor: bool) -> dict[str, Any]:
    who = person(dice, world) if dice.happens(world.telling) or without_visitor else {}
    kind = dice.pick((["form", "identify"] if who else ["pageview", "click", "custom"]) * 3 + ["email_open"])
    page = {"url": dice.pick(PAGES), "referrer": dice.pick(REFERRERS)}
    fields = {name: value for name, value in page.items() if value is not None}
    apart = {"kept_apart": dice.pick(APART)} if dice.happens(0.06) else {}
    return make_event(
        kind, event_id, moment, **fields, **apart, **({} if without_visitor else visitor(dice, world)), **who
    )


def touch_of(dice: Dice, world: World, event_id: str, moment: datetime) -> dict[str, Any]:
    """A call, a fair, a letter: of somebody named, of a visitor, of both, or of nobody."""
    cookie = visitor(dice, world) if dice.happens(0.5) else {}
    who = person(dice, world) if dice.happens(0.6) or not cookie else {}
    words = {"channel": dice.pick(["Fairs", None, "Direct"]), "source": dice.pick(["fair", "bing", None]),
             "medium": dice.pick(["call", "cpc", None]), "campaign": dice.pick([None, "spring"])}  # fmt: skip
    given = {name: value for name, value in words.items() if value is not None}
    return make_event("touch", event_id, moment, name=dice.pick(["call", "fair"]), **given, **cookie, **who)


def unlink_of(dice: Dice, world: World, event_id: str, moment: datetime) -> dict[str, Any]:
    """A cut between two that events may carry together; one in three lifts it again."""
    users = [f"user:{world.prefix}{name}" for name in world.users]
    one = f"user:{world.prefix}{world.office}" if world.office and dice.happens(0.7) else dice.pick(users)
    name = world.mailbox if world.mailbox and dice.happens(0.7) else dice.pick(world.names)
    other = f"email:{world.prefix}{name}@x.org"
    if dice.happens(0.2):
        one = f"crm:webhook:{crm_id(dice, world)}"
    elif dice.happens(0.1):
        other = dice.pick([user for user in users if user != one])
    sides = {"a": one, "b": f" {other} "} if dice.happens(0.5) else {"a": other, "b": one}
    undo = {"undo": True} if dice.happens(0.35) else {}
    cookie = visitor(dice, world) if dice.happens(0.25) else {}
    return make_event("unlink", event_id, moment, **sides, **undo, **cookie)


def deal_of(dice: Dice, world: World, event_id: str, moment: datetime) -> dict[str, Any]:
    people = []
    for _ in range(dice.pick([1, 1, 2, 3, 0])):
        second = {"contact_id": crm_id(dice, world)} if dice.happens(world.talkative) else {}
        people.append({"email": mail(dice, world)} | second)
    return deal(
        f"{world.prefix}d{dice.pick(range(3))}",
        event_id,
        moment,
        dice.pick(["won"] * 7 + ["open", "lost", "deleted"]),
        contacts=people,
        amount=dice.pick(["100.00", "99.99", "0.01", "0"]),
        currency="EUR",
        **provider(dice),
        **{name: date_of(dice, world) for name in ("created_at", "closed_at") if dice.happens(0.6)},
    )


def person(dice: Dice, world: World) -> dict[str, Any]:
    """At least one of e-mail, user id and previous id, as people and programs write them."""
    named = {"email": mail(dice, world)} if not dice.happens(0.2) else {}
    if world.office or dice.happens(world.talkative) or not named:
        at_work = world.office is not None and not dice.happens(0.2)
        named["user_id"] = f"{world.prefix}{world.office}" if at_work else user(dice, world)
    if dice.happens(world.talkative / 4):
        named["previous_id"] = user(dice, world)
    return named


def visitor(dice: Dice, world: World) -> dict[str, Any]:
    return {"visitor_id": world.prefix + dice.pick(world.visitors)}


def mail(dice: Dice, world: World) -> str:
    address = f"{world.prefix}{world.mailbox if world.mailbox and dice.happens(0.5) else dice.pick(world.names)}@x.org"
    return dice.pick([address] * 12 + [normalize("NFD", f" {address.title()} "), dice.pick(BLOCKED)])


def user(dice: Dice, world: World) -> str:
    return dice.pick([world.prefix + dice.pick(world.users)] * 12 + [dice.pick(BLOCKED)])


def provider(dice: Dice) -> dict[str, Any]:
    return {"provider": "hubspot"} if dice.happens(0.2) else {}


def crm_id(dice: Dice, world: World) -> str:
    return world.prefix + dice.pick(["7", "8", "9"] if len(world.users) < 4 else world.users)


def date_of(dice: Dice, world: World) -> str:
    moment = time_of(dice, world)
    return f"{moment:%Y-%m-%d}" if dice.happens(0.5) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def time_of(dice: Dice, world: World) -> datetime:
    """On each of a few days, with pauses around every limit of a visit, and clocks that are off by a breath."""
    minutes = sum(dice.pick(MINUTES) for _ in range(dice.pick([0, 1, 2, 3])))
    return at(day=dice.pick(world.days)) + timedelta(minutes=minutes) + dice.pick(SKEWS)
