"""Two that are at work on the same people at once: what was there before, and what each of them has to do."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.topics import ATTRIBUTOR, IDENTITY
from tests.builders import GOOGLE_AD, NEWSLETTER, at, contact, form, page
from tests.interleaving.collisions import ANN, BEN, call, identify, unlink, won

Events = list[dict[str, Any]]

CEM = "cem@x.org"


class Work(NamedTuple):
    """A consumer of this group handles these events in one batch, and works off notes."""

    group: str
    events: Sequence[dict[str, Any]] = ()


class Duel(NamedTuple):
    """`before` has had all its effects; `left` was read, and its notes are there."""

    before: Events
    left: Events
    one: Work
    other: Work


TWO = [
    *(page("v", "v1", at(day=1), GOOGLE_AD), form("v", "v2", at("00:01", day=3), ANN)),
    *(page("w", "w1", at(day=1), NEWSLETTER), form("w", "w2", at("00:01", day=2), BEN)),
    *(won("A", "a", "12:00", ANN), won("B", "b", "12:00", BEN)),
]
CUT = [
    *(page("v", "1", at("09:00"), GOOGLE_AD), form("v", "2", at("09:01"), ANN), form("v", "3", at("09:02"), BEN)),
    *(won("A", "a", "12:00", ANN), won("B", "b", "12:00", BEN), call("c", at("09:01:30"), visitor_id="v")),
]
JOINED = [contact("c1", at(), "9", ANN), contact("c2", at(), "9", BEN)]
OFFICE = [form(f"desk{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 5)]
OFFICE_DEALS = [won("A", "a", "12:00", "1@x.org"), won("B", "b", "12:00", "5@x.org", "6@x.org")]
OFFICE_OF_SIX = [form(None, f"o{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 7)]
MAILBOX = [form(None, f"f{n}", at(day=n), "info@x.org", user_id=f"u{n}") for n in range(1, 6)]

VISIT = [identify("v", "1", at("09:00", day=5), user_id="1", url=GOOGLE_AD)]
KNOWN = [identify(None, "k", at(day=2), user_id="1", email=ANN)]
NAMED = [form("v", "2", at("09:01", day=5), ANN)]

DUELS: dict[str, Duel] = {
    "a cookie's visits are joined while more of its hits come": Duel(
        CUT, JOINED, Work(IDENTITY), Work(IDENTITY, [page("v", "l", at("09:10")), page("v", "m", at("09:01:40"))])
    ),
    "a cookie's visits are joined while a call is told of it": Duel(
        CUT, JOINED, Work(IDENTITY), Work(IDENTITY, [call("d", at("09:03"), visitor_id="v"), page("v", "l", at("08:50"))])
    ),
    "two leads become one while another cookie brings both": Duel(
        CUT,
        JOINED[:1],
        Work(IDENTITY, JOINED[1:]),
        Work(IDENTITY, [page("w", "4", at("10:00"), NEWSLETTER), form("w", "5", at("10:01"), ANN), form("w", "6", at("10:02"), BEN)]),
    ),
    "two links reach one login at once": Duel(
        [*TWO, identify(None, "u", at(day=4), user_id="1")],
        [],
        Work(IDENTITY, [identify("v", "x", at(day=5), user_id="1", email=ANN)]),
        Work(IDENTITY, [identify("w", "y", at(day=5), user_id="1", email=BEN)]),
    ),
    "a chain of links closes from both ends": Duel(
        [*TWO, form(None, "u", at(day=4), CEM), identify(None, "n", at(day=4), user_id="1")],
        [],
        Work(IDENTITY, [identify("v", "x", at(day=5), user_id="1", email=ANN), identify("v", "z", at(day=6), user_id="2", email=CEM)]),
        Work(IDENTITY, [identify("w", "y", at(day=5), user_id="1", email=BEN), identify("w", "q", at(day=6), user_id="2", email=ANN)]),
    ),
    "the fifth and the sixth address of a login come at once": Duel(
        [*OFFICE, *OFFICE_DEALS],
        [],
        Work(IDENTITY, [form("v", "f5", at(day=5), "5@x.org", user_id="office")]),
        Work(IDENTITY, [form("w", "f6", at(day=6), "6@x.org", user_id="office")]),
    ),
    "two are linked while they are unlinked": Duel(
        [*TWO, identify("w", "u", at(day=4), user_id="42")],
        [],
        Work(IDENTITY, [identify("w", "m", at(day=5), user_id="42", email=ANN)]),
        Work(IDENTITY, [unlink("x", at(day=6), f"email:{ANN}", "user:42")]),
    ),
    "a lead falls apart while a link comes to a third of it": Duel(
        [*TWO, *(identify("v", f"u{user}", at(day=4), user_id=user, email=ANN) for user in ("42", "7"))],
        [],
        Work(IDENTITY, [unlink("x", at(day=6), f"email:{ANN}", "user:42")]),
        Work(IDENTITY, [identify("w", "m", at(day=5), user_id="7", email=BEN)]),
    ),
    "one of six is unlinked from a login while a seventh comes": Duel(
        [*OFFICE, form("v", "f5", at(day=5), "5@x.org", user_id="office"), form("v", "f6", at(day=6), "6@x.org", user_id="office"), *OFFICE_DEALS],
        [],
        Work(IDENTITY, [unlink("x", at(day=9), "email:6@x.org", "user:office")]),
        Work(IDENTITY, [form("w", "f7", at(day=7), "7@x.org", user_id="office")]),
    ),
    "one is seen earlier while a link makes the lead larger": Duel(
        [*TWO, identify("v", "u", at(day=4), user_id="42", email=ANN)],
        [],
        Work(IDENTITY, [identify("desk1", "e", at(day=1), user_id="42")]),
        Work(IDENTITY, [identify("w", "m", at(day=5), user_id="42", email=BEN)]),
    ),
    "a lead is seen earlier, and so renamed, while its cookie goes on": Duel(
        [*KNOWN, *VISIT], [], Work(IDENTITY, NAMED), Work(IDENTITY, [identify(None, "e", at(day=1), user_id="1")])
    ),
    "a lead takes the name of a smaller, older one while its cookie goes on": Duel(
        [*KNOWN, *VISIT, identify(None, "z", at(day=1), user_id="2")],
        [],
        Work(IDENTITY, NAMED),
        Work(IDENTITY, [identify(None, "e", at(day=3), user_id="1", previous_id="2")]),
    ),
    "a visit's two people become one while it gains hits, also earlier ones": Duel(
        [*VISIT, *NAMED],
        [],
        Work(IDENTITY, [page("v", "3", at("09:05", day=5)), page("v", "4", at("08:55", day=5)), page("w", "5", at())]),
        Work(IDENTITY, [identify(None, "j", at(day=3), user_id="1", email=ANN)]),
    ),
    "a login's former id becomes known while its cookie goes on with the new one": Duel(
        [*VISIT, page("v", "2", at("09:20", day=5))],
        [],
        Work(IDENTITY, [identify(None, "3", at(day=5), user_id="2", previous_id="1")]),
        Work(IDENTITY, [identify("v", "4", at("09:10", day=5), user_id="2"), identify("v", "5", at("09:30", day=5), user_id="2", email=ANN)]),
    ),
    "two cookies bring the same link": Duel(
        VISIT,
        [],
        Work(IDENTITY, [identify("v", "3", at("09:05", day=5), user_id="2", previous_id="1"), identify("v", "4", at("09:06", day=5), user_id="2")]),
        Work(IDENTITY, [identify("w", "5", at("09:05", day=5), user_id="2", previous_id="1"), identify("w", "6", at("09:01", day=5), user_id="1")]),
    ),
    "two are unlinked while their visit goes on": Duel(
        [*KNOWN, page("v", "1", at("09:00", day=5), GOOGLE_AD), form("v", "2", at("09:10", day=5), ANN)],
        [],
        Work(IDENTITY, [identify("v", "3", at("09:20", day=5), user_id="1"), page("v", "4", at("09:35", day=5))]),
        Work(IDENTITY, [unlink("u", at(day=6), f"email:{ANN}", "user:1")]),
    ),
    "one of six is unlinked from a login while its cookie goes on": Duel(
        [*OFFICE_OF_SIX, identify("v", "1", at("09:00", day=9), user_id="office", url=GOOGLE_AD), form("v", "2", at("09:05", day=9), "1@x.org")],
        [],
        Work(IDENTITY, [identify("v", "3", at("09:10", day=9), user_id="office"), form("v", "4", at("09:11", day=9), "2@x.org")]),
        Work(IDENTITY, [unlink("u", at(day=20), "email:6@x.org", "user:office")]),
    ),
    "a mailbox becomes one of many while a call of it moves": Duel(
        [*MAILBOX, call("t", at(day=8), email="info@x.org", user_id="u1"), won("A", "a", "12:00", "info@x.org")],
        [],
        Work(IDENTITY, [identify("w", "s", at(day=7), user_id="u6", email="info@x.org")]),
        Work(IDENTITY, [call("t", at(day=6), email="info@x.org", user_id="u1"), call("z", at(day=7), email="info@x.org")]),
    ),
    "touches change while their deal is told anew": Duel(
        TWO,
        [page("v", "late", at(day=2), NEWSLETTER)],
        Work(ATTRIBUTOR),
        Work(ATTRIBUTOR, [won("A", "a2", "13:00", ANN, amount="49.99")]),
    ),
    "touches change while their deal is lost": Duel(
        TWO, [page("v", "late", at(day=2), NEWSLETTER)], Work(ATTRIBUTOR), Work(ATTRIBUTOR, [won("A", "a2", "13:00", ANN, stage="lost")])
    ),
    "a lead changes while its first deal comes": Duel(
        TWO[:4],
        [identify("v", "m1", at(day=5), user_id="1", email=ANN), identify("w", "m2", at(day=5), user_id="1", email=BEN)],
        Work(ATTRIBUTOR),
        Work(ATTRIBUTOR, [won("A", "a", "12:00", ANN)]),
    ),
    "a deal comes while its touches do": Duel(
        TWO[:4],
        [],
        Work(ATTRIBUTOR, [won("A", "a", "12:00", ANN)]),
        Work(IDENTITY, [page("v", "late", at(day=2), NEWSLETTER), form("v", "f", at("12:00"), BEN)]),
    ),
    "a deal comes while its leads become one": Duel(
        [*TWO[:4], identify("v", "m1", at(day=5), user_id="1", email=ANN)],
        [],
        Work(ATTRIBUTOR, [won("A", "a", "12:00", ANN)]),
        Work(IDENTITY, [identify("w", "m2", at(day=5), user_id="1", email=BEN)]),
    ),
    "two deals claim one event id": Duel(
        TWO[:4], [], Work(ATTRIBUTOR, [won("A", "same", "12:00", ANN)]), Work(ATTRIBUTOR, [won("B", "same", "11:00", BEN)])
    ),
}  # fmt: skip
