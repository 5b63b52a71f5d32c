"""The script of a shop while it is being written: hands out people, cookies and days, takes down visits and deals."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.instant import format_instant
from services.local.shop.browsing import Step, browse, later
from services.local.shop.history import SITE, START, Deal, Delivery, Payload, Person, Sender, Visit
from services.local.shop.selling import Course, take_course
from services.local.shop.sources import Arrival, arrive, arrive_differently

_FIRST = ("Ada", "Ali", "Carla", "Chen", "Emil", "Grace", "Ines", "Kofi", "Mara", "Nils", "Omar", "Priya", "Tom", "Zoe")
_LAST = ("Adler", "Costa", "Evans", "Garcia", "Haas", "Ito", "Kaya", "Novak", "Okafor", "Rossi", "Silva", "Weber")
_ACTIONS: tuple[Payload, ...] = (
    {"type": "click", "name": "Take the tour"},
    {"type": "download", "name": "Price list"},
    {"type": "video", "name": "Ledgerly in two minutes", "properties": {"percent": 75}},
    {"type": "custom", "name": "Savings calculated", "properties": {"employees": 40, "hours_a_month": 12.5}},
)
_COMPANIES = ("acme", "baltic", "cedar", "delta", "elm", "foxglove", "granite", "harbour", "juniper", "lumen")


@dataclass(frozen=True, slots=True)
class Cookie:
    """A browser: what a cookie stands for, and whether its user lets it be kept."""

    visitor_id: str
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """What tells who sits there: the fields of a form or login, and the lead that they identify."""

    fields: Payload
    lead: str


class Script:
    """Everything is drawn from one generator: two scripts of a seed and size are equal, of others share no id."""

    def __init__(self, seed: int, visitors: int) -> None:
        self.tag = f"{seed}x{visitors}"
        self.rng = random.Random(f"closed loop demo {self.tag}")  # noqa: S311 - a simulation, to be repeated
        self.people: list[Person] = []
        self.visits: list[Visit] = []
        self.deals: list[Deal] = []
        self.deliveries: list[Delivery] = []
        self.cookies = 0
        self._days_taken: dict[str, set[int]] = defaultdict(set)
        self._events = 0

    def person(self) -> Person:
        number = len(self.people) + 1
        first, last = self.rng.choice(_FIRST), self.rng.choice(_LAST)
        mailbox = f"{first}.{last}{number}".lower()
        company = f"{self.rng.choice(_COMPANIES)}-{self.tag}.example"
        person = Person(
            name=f"{first} {last}",
            email=f"{mailbox}@{company}",
            other_email=f"{mailbox}@mail-{self.tag}.example",
            user_id=f"u-{self.tag}-{number}",
            contact_id=f"c-{self.tag}-{number}",
        )
        self.people.append(person)
        return person

    def cookie(self, *, refuses: bool = False) -> Cookie:
        self.cookies += 1
        return Cookie(f"v-{self.tag}-{self.cookies}", refuses)

    def form(self, person: Person) -> Sign:
        """A form as sites have them: the address in a field of some name, or read out by the site itself."""
        mail = person.email if self.rng.random() < 0.8 else person.email.title()
        field = self.rng.choice(("email", "E-Mail", "user_email", "mail"))
        given: Payload = {"form": {"id": "demo-request", "fields": {field: mail, "name": person.name}}}
        if self.rng.random() < 0.2:
            given = {"form": {"id": "newsletter"}, "email": mail}
        return Sign({"type": "form"} | given, person.email)

    def login(self, person: Person, email: str | None = None) -> Sign:
        """A login tells the user id; a registration the address with it, which connects the two."""
        fields: Payload = {"type": "identify", "user_id": person.user_id}
        return Sign(fields | ({"email": email} if email else {}), person.email)

    def wander(self, person: Person, cookie: Cookie, days: range, *, least: int = 0, most: int = 3) -> None:
        """Some visits without a name, on days that this cookie has no other visit on."""
        count = self.rng.randint(least, most)
        free = sorted(set(days) - self._days_taken[cookie.visitor_id])
        for day in sorted(self.rng.sample(free, min(count, len(free)))):
            self.visit(person, cookie, day)

    def visit(self, person: Person, cookie: Cookie, day: int, sign: Sign | None = None) -> datetime:
        """A visit on a day of its own for this cookie, sometimes around midnight; the time of its last hit.

        Now and then a click on another ad or link minutes later starts a second visit by the same person.
        """
        assert day not in self._days_taken[cookie.visitor_id], "a second visit on this day could run into the first"
        self._days_taken[cookie.visitor_id].add(day)
        morning = START + timedelta(days=day, hours=6)
        start = later(self.rng, morning, 0, 15 * 3600)
        if self.rng.random() < 0.02:
            start = later(self.rng, morning, 18 * 3600 - 900, 18 * 3600 - 30)
        arrival = arrive(self.rng)
        last = self.record(person, cookie, arrival, browse(self.rng, start, arrival), sign)
        if self.rng.random() < 0.04 and last < morning + timedelta(hours=14):
            other = arrive_differently(self.rng, arrival)
            last = self.record(person, cookie, other, browse(self.rng, later(self.rng, last, 60, 1_200), other))
        return last

    def record(
        self, person: Person, cookie: Cookie, arrival: Arrival, steps: Sequence[Step], sign: Sign | None = None
    ) -> datetime:
        """Take down one visit of these steps, ending with `sign` where there is one; the time of its last hit."""
        hits = [(step, self._action() if number else {"type": "pageview"}) for number, step in enumerate(steps)]
        if sign:
            last = steps[-1]
            at = later(self.rng, last.at, 20, 400)
            hits.append((Step(at, SITE + "/sign-up", last.url, "Sign up"), sign.fields))
        return self.take_down(person, cookie, arrival, hits, sign.lead if sign else None)

    def take_down(
        self, person: Person, cookie: Cookie, arrival: Arrival, hits: Sequence[tuple[Step, Payload]], lead: str | None
    ) -> datetime:
        """Take down one visit, hit by hit."""
        sent = [self._hit(cookie, step, fields) for step, fields in hits]
        self.visits.append(
            Visit(
                visitor_id=cookie.visitor_id,
                touch_id=sent[0]["event_id"],
                at=hits[0][0].at,
                person=person.email,
                true_channel=arrival.true_channel,
                seen_channel=arrival.seen_channel,
                mask=arrival.mask,
                lead=lead,
                refused=cookie.refuses,
            )
        )
        return hits[-1][0].at

    def deal(
        self,
        people: Sequence[Person],
        *,
        after: int,
        course: Course | None = None,
        named: Sequence[Sequence[tuple[Person, str]]] = (),
        leads: Sequence[str] = (),
    ) -> None:
        """A deal of these people, opened soon after day `after`; without a course, one of those that deals take.

        `named`, by version, are the contacts and addresses that the CRM has, the last for all later versions; else the
        people's own. `leads` are those that these addresses lead to; else the people's.
        """
        deal_id = f"{self.tag}-{len(self.deals) + 1:04d}"
        versions = take_course(self.rng, after, course)
        contacts = named or [[(person, person.email) for person in people]]
        owner = self.rng.choice(("Bea", "Jonas", "Kim"))
        for number, version in enumerate(versions):
            crm = [
                {"email": address, "contact_id": person.contact_id}
                for person, address in contacts[min(number, len(contacts) - 1)]
            ]
            payload = {"event_id": self._event_id(), "deal_id": deal_id, "contacts": crm, "owner": owner}
            sender = Sender.WEBHOOK if self.rng.random() < 0.75 else Sender.IMPORT
            self.deliveries.append(Delivery(version.noticed_at, sender, payload | version.fields()))
        final = versions[-1]
        self.deals.append(
            Deal(
                deal_id=deal_id,
                people=frozenset(person.email for person in people),
                leads=frozenset(leads or (person.email for person in people)),
                won=final.stage == "won",
                amount=final.amount,
                created_at=final.created_at,
                closed_at=final.closes_at,
            )
        )

    def _action(self) -> Payload:
        """What a visitor does after the first page: mostly reads the next one."""
        return {"type": "pageview"} if self.rng.random() < 0.92 else self.rng.choice(_ACTIONS)

    def _hit(self, cookie: Cookie, step: Step, fields: Payload) -> Payload:
        payload: Payload = {
            "event_id": self._event_id(),
            "visitor_id": cookie.visitor_id,
            "occurred_at": format_instant(step.at),
            "url": step.url,
            "title": step.title,
        } | fields
        if step.referrer:
            payload["referrer"] = step.referrer
        if cookie.refuses:
            payload["consent"] = {"analytics": False, "marketing": False}
        offline = self.rng.random() < 0.03
        sent_at = later(self.rng, step.at, 1, 3 * 86_400 if offline else 3)
        self.deliveries.append(Delivery(sent_at, Sender.SITE, payload))
        return payload

    def _event_id(self) -> str:
        self._events += 1
        return f"e-{self.tag}-{self._events}"
