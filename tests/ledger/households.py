"""Households: two people who may turn out to be one, or never were, and the deals that name them.

What a ledger must stand: versions of a deal in any order and some of them twice, won, changed, refunded, lost, deleted and
won again; journeys of 0 to 60 touches that are minutes or years apart; milestones at the instant of a touch; amounts from 0
to the largest in currencies with 0, 2, 3 and 4 digits; contacts, touches, forms, merges and cuts that come later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from schemas.deal import Stage
from schemas.instant import format_instant
from schemas.money import LARGEST, decimal_text
from tests.builders import GOOGLE, GOOGLE_AD, NEWSLETTER, SITE, contact, deal, form, make_event, page

Event = dict[str, Any]

ROUNDS = 5
"""In which versions arrive; after each, identity may learn something."""
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
YEARS = 8
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)

TOUCHES = (0, 1, 1, 2, 2, 3, 4, 6, 9, 15, 60)
PAUSES = (HOUR, DAY, 7 * DAY, 60 * DAY, YEAR)
SHORT_PAUSES = PAUSES[:2]
"""Between touches of whom there are many."""
ENTRIES = (
    (SITE, None),
    (SITE, None),
    (GOOGLE_AD, None),
    (NEWSLETTER, None),
    (SITE, GOOGLE),
    (SITE, "https://blog.example/"),
)

VERSIONS = (1, 1, 2, 2, 3, 4, 6)
STAGES = (*[Stage.won] * 6, Stage.open, Stage.lost, Stage.deleted)
AGES = (timedelta(0), timedelta(0), DAY, 60 * DAY, 3 * YEAR, -DAY)
"""From a deal's creation to its close."""
CURRENCIES = ("EUR", "EUR", "JPY", "KWD", "CLF")
SMALLEST = (0, 1, 2, 3, 7, 100, 9_999)
TWICE = 0.05
"""How many of the versions come a second time."""
LATE = 0.5
"""In how many of the rounds identity learns something of a household."""


class Person(NamedTuple):
    """Somebody with a browser, an e-mail address, a login and a place in the CRM."""

    name: str
    moments: Sequence[datetime]
    """When each touch was."""

    @property
    def email(self) -> str:
        return f"{self.name}@x.org"

    @property
    def touched_at(self) -> Sequence[datetime]:
        """Never empty."""
        return self.moments or (BEGINNING,)


class Version(NamedTuple):
    """What a CRM says of a deal at one time."""

    event: Event
    amount: int
    """Minor units."""

    @property
    def order(self) -> tuple[str, str]:
        """The newest is the greatest."""
        return (self.event["updated_at"], self.event["event_id"])

    @property
    def is_won(self) -> bool:
        return bool(self.event["stage"] == Stage.won)


@dataclass(frozen=True)
class Household:
    """All that is said of it, in the order in which it arrives."""

    early: list[Event]
    """What identity knows before the first deal."""
    versions: list[list[Version]]
    """Of its deals, round by round."""
    late: list[list[Event]]
    """What identity learns after each round."""

    @property
    def events(self) -> list[Event]:
        versions = [version.event for arriving in self.versions for version in arriving]
        return [*self.early, *versions, *(event for events in self.late for event in events)]


def household_of(random: Random, name: str, deals: int) -> Household:
    """One household; `name` stands in front of all names and ids, so that households never meet."""
    people = [Person(f"{name}{each}", moments_of(random)) for each in ("ann", "ben")]
    early = [event for person in people for event in journey_of(random, person)]
    versions: list[list[Version]] = [[] for _ in range(ROUNDS)]
    for number in range(deals):
        for version in versions_of(random, f"{name}{number}", people):
            versions[random.randrange(ROUNDS)].append(version)
            if random.random() < TWICE:
                versions[random.randrange(ROUNDS)].append(version)
    late = [[late_event(random, f"{name}{turn}", people)] if random.random() < LATE else [] for turn in range(ROUNDS)]
    return Household(early, versions, late)


def moments_of(random: Random) -> list[datetime]:
    """When somebody came: mostly a few times, some of them often; minutes or years between."""
    count, moment = random.choice(TOUCHES), BEGINNING + random.randrange(YEARS * 365) * DAY
    pause = random.choice(PAUSES if count < max(TOUCHES) else SHORT_PAUSES)
    moments = []
    for _ in range(count):
        moments.append(moment)
        moment += timedelta(minutes=31) + random.randrange(20) * pause / 10
    return moments


def journey_of(random: Random, person: Person) -> list[Event]:
    """The touches, a form at the instant of one of them, and perhaps a login."""
    events = [touch_of(random, person, f"{person.name}-{place}", at) for place, at in enumerate(person.moments)]
    at = random.choice(person.touched_at)
    if random.random() < 0.95:
        events.append(form(person.name, f"{person.name}-form", at, person.email))
    if random.random() < 0.5:
        events.append(make_event("identify", f"{person.name}-login", at, **signed(person, person)))
    if random.random() < 0.5:
        events.append(contact(f"{person.name}-contact", at, person.name, person.email))
    return events


def touch_of(random: Random, person: Person, event_id: str, at: datetime) -> Event:
    """A visit, or now and then a call."""
    if random.random() < 0.15:
        return make_event("touch", event_id, at, name="call", channel="Phone", email=person.email)
    url, referrer = random.choice(ENTRIES)
    return page(person.name, event_id, at, url, **({"referrer": referrer} if referrer else {}))


def signed(one: Person, other: Person) -> dict[str, str]:
    """The e-mail of one and the login of the other, which may be the same person's."""
    return {"email": one.email, "user_id": other.name}


def late_event(random: Random, event_id: str, people: Sequence[Person]) -> Event:
    """A touch, a form, a merge, a cut or its repair, or what the CRM knows of a contact; whenever that was."""
    one, other = random.sample(people, 2)
    at = random.choice(one.touched_at) + random.choice((-YEAR, -DAY, timedelta(0), timedelta(0), HOUR, DAY))
    match random.choice(("touch", "touch", "form", "merge", "merge", "cut", "repair", "contact")):
        case "touch":
            return touch_of(random, one, event_id, at)
        case "form":
            return form(one.name, event_id, at, one.email)
        case "merge":
            return make_event("identify", event_id, at, **signed(one, other))
        case "contact":
            return contact(event_id, at, one.name, one.email)
        case kind:
            sides = {"a": f"email:{one.email}", "b": f"user:{other.name}"}
            return make_event("unlink", event_id, at, **sides, **({"undo": True} if kind == "repair" else {}))


def versions_of(random: Random, deal_id: str, people: Sequence[Person]) -> list[Version]:
    """All that the CRM says of one deal in its life."""
    moments = [moment for person in people for moment in person.touched_at]
    created = random.choice(moments) + random.choice((timedelta(0), timedelta(0), HOUR, DAY, 20 * DAY, YEAR))
    currency, updated = random.choice(CURRENCIES), created
    versions = []
    for number in range(random.choice(VERSIONS)):
        updated += random.choice((timedelta(0), HOUR, DAY))  # of two at one time the event id decides
        versions.append(version_of(random, (deal_id, f"{deal_id}-{number}"), (created, updated), currency, people))
    return versions


def version_of(
    random: Random, ids: tuple[str, str], times: tuple[datetime, datetime], currency: str, people: Sequence[Person]
) -> Version:
    """One version, by the ids of deal and event and by the times of the creation and of this update."""
    stage, amount, (deal_id, event_id), (created, updated) = random.choice(STAGES), amount_of(random), ids, times
    money = {} if stage is Stage.deleted else {"amount": decimal_text(amount, currency), "currency": currency}
    closed = created + random.choice(AGES)
    dates = {"created_at": format_instant(created), "closed_at": format_instant(closed)}
    if random.random() < 0.2:
        dates = {"closed_at": f"{closed:%Y-%m-%d}"}
    if random.random() < 0.1:
        dates = {}
    contacts = [contact_of(random, person) for person in people if random.random() < 0.8]
    return Version(deal(deal_id, event_id, updated, stage, contacts=contacts, **money, **dates), amount)


def contact_of(random: Random, person: Person) -> dict[str, str]:
    """By e-mail, or by an id of the CRM of which identity may know nothing yet."""
    return {"email": person.email} if random.random() < 0.8 else {"contact_id": person.name}


def amount_of(random: Random) -> int:
    """Minor units: few, the most that there can be, or as many digits as may be."""
    kind = random.random()
    if kind < 0.3:
        return random.choice(SMALLEST)
    return LARGEST - 1 if kind < 0.35 else random.randrange(10 ** random.randint(3, 17))
