"""Small histories in which everything meets: what merges, splits, comes late or yields its id, and what it earned."""

from datetime import timedelta
from random import Random
from typing import Any

from schemas.instant import parse_instant
from tests.builders import GOOGLE_AD, NEWSLETTER, at, contact, deal, form, make_event, page

Batches = list[list[dict[str, Any]]]


def identify(visitor: str | None, event_id: str, moment: Any, **who: Any) -> dict[str, Any]:
    return make_event("identify", event_id, moment, **({"visitor_id": visitor} if visitor else {}), **who)


def unlink(event_id: str, moment: Any, a: str, b: str, **fields: Any) -> dict[str, Any]:
    return make_event("unlink", event_id, moment, a=a, b=b, **fields)


def call(event_id: str, moment: Any, **fields: Any) -> dict[str, Any]:
    return make_event("touch", event_id, moment, source="sales", medium="phone", **fields)


def won(deal_id: str, event_id: str, clock: str, *mails: str, **fields: Any) -> dict[str, Any]:
    return deal(deal_id, event_id, at(clock, day=9), contacts=[{"email": mail} for mail in mails], **fields)


ANN, BEN = "ann@x.org", "ben@x.org"
DAYS = [page("v", f"{day}", at(day=day), GOOGLE_AD if day % 2 else NEWSLETTER) for day in range(1, 6)]

COLLISIONS: list[tuple[str, Batches]] = [
    (
        "two people of one visit turn out to be one, and each has a deal",
        [
            [
                page("v", "1", at("09:00"), GOOGLE_AD),
                form("v", "2", at("09:01"), ANN),
                form("v", "3", at("09:02"), BEN),
            ],
            [won("A", "a", "12:00", ANN), won("B", "b", "12:00", BEN)],
            [contact("c1", at(), "9", ANN), contact("c2", at(), "9", BEN)],
        ],
    ),
    ("a deal before its lead", [[won("A", "a", "12:00", ANN)], [*DAYS[:2], form("v", "f", at(day=3), ANN)]]),
    (
        "a late hit joins two visits in the middle of three",
        [
            [
                page("v", "1", at("09:00"), GOOGLE_AD),
                page("v", "2", at("09:50")),
                page("v", "3", at("12:00"), NEWSLETTER),
            ],
            [form("v", "4", at("12:01"), ANN), won("A", "a", "12:00", ANN)],
            [page("v", "5", at("09:25"))],
        ],
    ),
    (
        "a late form in the middle takes what lies behind it from the next one's owner",
        [
            [*DAYS, form("v", "6", at(day=6), BEN), won("A", "a", "12:00", ANN, BEN)],
            [form("v", "f", at("12:00", day=3), ANN)],
        ],
    ),
    (
        "the form that named the visits yields its id to an earlier record that names nobody",
        [
            [*DAYS[:2], form("v", "f", at("00:10", day=3), ANN), won("A", "a", "12:00", ANN)],
            [page("v", "f", at("00:05", day=3))],
        ],
    ),
    (
        "a sixth address on a login parts those whom it had joined",
        [
            [form(f"desk{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 6)],
            [page("desk1", "login", at(day=8)), identify("tablet", "t", at(day=8), user_id="office")],
            [won("A", "a", "12:00", "1@x.org"), won("B", "b", "12:00", "2@x.org", "6@x.org")],
            [form("desk6", "f6", at(day=6), "6@x.org", user_id="office")],
        ],
    ),
    (
        "an earlier sighting gives the lead another name",
        [
            [
                form("v", "1", at(day=5), ANN),
                identify("v", "2", at(day=6), user_id="42", email=ANN),
                won("A", "a", "12:00", ANN),
            ],
            [identify("w", "3", at(day=1), user_id="42")],
        ],
    ),
    (
        "two leads of several devices each become one by a former user id",
        [
            [
                form("v", "1", at(day=1), ANN, user_id="1"),
                page("w", "2", at(day=2)),
                identify("w", "3", at(day=2), user_id="1"),
            ],
            [form("x", "4", at(day=3), BEN, user_id="2"), won("A", "a", "12:00", ANN), won("B", "b", "13:00", BEN)],
            [identify("x", "5", at(day=4), user_id="2", previous_id="1")],
        ],
    ),
    (
        "a deal is won, lost, and won again for less",
        [
            [page("v", "1", at(), GOOGLE_AD), form("v", "2", at("00:01"), ANN), won("A", "a1", "12:00", ANN)],
            [won("A", "a2", "12:01", ANN, stage="lost")],
            [won("A", "a3", "12:02", ANN, amount="49.99"), won("A", "a0", "11:00", BEN)],
        ],
    ),
    (
        "a deal's only version yields its id to an earlier one of another deal",
        [
            [page("v", "1", at(), GOOGLE_AD), form("v", "2", at("00:01"), ANN), won("A", "same", "12:00", ANN)],
            [won("B", "same", "11:00", ANN)],
        ],
    ),
    (
        "three people on one laptop, and an office that buys twice",
        [
            [page("v", "0", at("08:55"), GOOGLE_AD)],
            [form("v", mail, at(f"09:0{n}"), mail) for n, mail in enumerate([ANN, BEN, "cem@x.org"])],
            [won("A", "a", "12:00", ANN, BEN), won("B", "b", "12:00", "cem@x.org", BEN), page("v", "9", at(day=2))],
        ],
    ),
    (
        "everything at once, and then again",
        [
            [
                *DAYS,
                form("v", "6", at(day=6), ANN, user_id="42"),
                won("A", "a", "12:00", ANN),
                contact("c", at(), "9", ANN),
            ]
        ]
        * 2,
    ),
    (
        "two who were made one are unlinked after the money was shared out, and made one again",
        [
            [page("v", "1", at(), GOOGLE_AD), form("v", "2", at("00:05"), ANN), page("w", "3", at(day=2), NEWSLETTER)],
            [identify("w", "4", at("00:05", day=2), user_id="42"), won("A", "a", "12:00", ANN)],
            [identify("w", "5", at("00:06", day=2), user_id="42", email=ANN)],
            [unlink("u", at(day=4), f"email:{ANN}", "user:42")],
            [unlink("undo", at(day=5), "user:42", f"email:{ANN}", undo=True)],
        ],
    ),
    (
        "an unlink is there before those whom it parts, and yields its id to an earlier one of another pair",
        [
            [unlink("u", at(day=4), f"email:{ANN}", "user:42")],
            [
                identify("v", "1", at(day=1), user_id="42", email=ANN),
                identify("v", "2", at(day=2), user_id="42", email=BEN),
            ],
            [won("A", "a", "12:00", ANN), won("B", "b", "12:00", BEN)],
            [unlink("u", at(day=3), f"email:{BEN}", "user:42")],
        ],
    ),
    (
        "a login of six people names somebody again once one of them is unlinked",
        [
            [form(f"desk{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 7)],
            [
                identify("tablet", "t", at(day=8), user_id="office", url=GOOGLE_AD),
                call("c", at(day=8), user_id="office"),
            ],
            [won("A", "a", "12:00", "1@x.org"), won("B", "b", "12:00", "2@x.org", "6@x.org")],
            [unlink("u", at(day=20), "email:6@x.org", "user:office")],
        ],
    ),
    (
        "calls of a mailbox of many and of a cookie go from hand to hand, and are told anew with other dates",
        [
            [call("c", at(day=2), email="info@x.org", user_id="u1"), call("d", at(day=3), visitor_id="v"), *DAYS[:2]],
            [won("A", "a", "12:00", ANN), deal("I", "i", at(day=9), contacts=[{"email": "info@x.org"}])],
            [form(None, f"f{n}", at(day=n), "info@x.org", user_id=f"u{n}") for n in range(2, 7)],
            [form("v", "f", at(day=4), ANN), call("c", at(day=1), email="info@x.org", user_id="u1")],
            [page("v", "d", at(day=1)), unlink("u", at(day=20), "email:info@x.org", "user:u6")],
        ],
    ),
    (
        "a bot takes the id of the form that named its visits",
        [
            [*DAYS[:2], form("v", "f", at("00:10", day=3), ANN), won("A", "a", "12:00", ANN)],
            [page("v", "f", at("00:05", day=3), kept_apart="bot")],
        ],
    ),
]


def late_hits(random: Random, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few page views that come after all of these, among the hits of their visitors."""
    hits = [event for event in events if "visitor_id" in event]
    near = random.choices(hits, k=random.randint(1, 4)) if hits else []
    return [
        page(
            hit["visitor_id"],
            f"late{number}",
            parse_instant(hit["occurred_at"]) + timedelta(minutes=random.choice(APART)),
        )
        for number, hit in enumerate(near)
    ]


APART = [-40, -20, -1, 0, 1, 20, 40]


def make_crowd(random: Random, size: int) -> list[dict[str, Any]]:
    """Two devices, three addresses and two logins, in events each of which changes what the others meant."""
    return [_draw(random, f"e{number}") for number in range(size)]


def _draw(random: Random, number: str) -> dict[str, Any]:
    device, mail, user = random.choice(["laptop", "phone"]), random.choice([ANN, BEN, "cem@x.org"]), random.choice("12")
    moment = at(f"{random.choice([9, 10, 15]):02}:{random.choice([0, 10, 25])}", day=random.choice([1, 1, 2]))
    event_id = random.choice([number] * 8 + ["e0"])
    drawn = [
        *[page(device, event_id, moment, random.choice([GOOGLE_AD, NEWSLETTER]))] * 4,
        *[identify(random.choice([device, None]), event_id, moment, user_id=user, email=mail)] * 4,
        *[form(device, event_id, moment, mail)] * 4,
        *[won(random.choice("AB"), event_id, f"{random.randint(10, 23)}:00", mail)] * 4,
        won("A", event_id, f"{random.randint(10, 23)}:30", mail, stage="lost"),
        identify(device, event_id, moment, user_id=user),
        *[contact(event_id, moment, user, mail)] * 2,
        unlink(event_id, moment, f"email:{mail}", f"user:{user}"),
        unlink(event_id, moment, f"user:{user}", f"email:{mail}", undo=True),
        call(event_id, moment, visitor_id=device),
        call(event_id, moment, user_id=user),
    ]
    return random.choice(drawn)
