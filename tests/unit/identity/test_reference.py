"""The reference model on cases worked out by hand, for who judges must be judged: one line a case, in the README's words."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.builders import BING, GOOGLE, GOOGLE_AD, INSIDE, NEWSLETTER, at, contact, deal, form, make_event, page
from tests.histories import make_history
from tests.law.smallest import as_code, smallest
from tests.reference import present_state
from tests.reference.counting import records_of, that_count
from tests.reference.people import people_of
from tests.reference.visits import visits_of

ANN, BEN = "ann@x.org", "ben@x.org"

Event = dict[str, Any]


def leads(*events: Event) -> list[list[str]]:
    return [row[0] for row in present_state(events)["leads"]]


def visits(*events: Event) -> list[tuple[str, str, str | None]]:
    """Of each visit its first hit, its channel, and the e-mail address of its owner."""
    counting = that_count(records_of(events))
    found = visits_of(counting, people_of(records_of(events), counting))
    return [(visit.hits[0].event_id, str(visit.source[0]), mail_of(visit.owner)) for visit in found]


def mail_of(lead: frozenset[str] | None) -> str | None:
    return next((name.removeprefix("email:") for name in sorted(lead or ()) if name.startswith("email:")), None)


def named(event_id: str, minute: int = 0, **who: str) -> Event:
    return make_event("identify", event_id, at() + timedelta(minutes=minute), **who)


def unlink(event_id: str, minute: int, a: str, b: str, **fields: Any) -> Event:
    return make_event("unlink", event_id, at() + timedelta(minutes=minute), a=a, b=b, **fields)


def one_user_with(mails: int) -> list[Event]:
    return [named(f"m{number}", email=f"0{number}@x.org", user_id="office") for number in range(mails)]


def one_mail_with(users: int) -> list[Event]:
    return [named(f"u{number}", email=ANN, user_id=f"u{number}") for number in range(users)]


def cut(event_id: str, minute: int) -> Event:
    return unlink(event_id, minute, "user: 42", "email:Ann@X.org ")


def undo(event_id: str, minute: int) -> Event:
    return unlink(event_id, minute, "email:ann@x.org", "user:42", undo=True)


LINK = named("1", email=ANN, user_id="42")
CUT = cut("2", 10)
JOINED, PARTED = [["email:ann@x.org", "user:42"]], [["email:ann@x.org"], ["user:42"]]

LEADS = [
    pytest.param([LINK], JOINED, id="one event carries both"),
    pytest.param(
        [page("v", "1", at(), email=ANN), page("v", "2", at(), email=BEN)],
        [["email:ann@x.org"], ["email:ben@x.org"]],
        id="a cookie connects nobody",
    ),
    pytest.param(
        [deal("D", "1", at(), contacts=[{"email": ANN, "contact_id": 7.0}, {"email": BEN}])],
        [["crm:webhook:7", "email:ann@x.org"], ["email:ben@x.org"]],
        id="a deal connects only within each contact",
    ),
    pytest.param(
        [contact("1", at(), "7", ANN), contact("1", at("01:00"), "7", BEN)],
        [["crm:webhook:7", "email:ann@x.org", "email:ben@x.org"]],
        id="a record whose id is taken still connects",
    ),
    pytest.param([LINK, CUT], PARTED, id="an unlink holds against an earlier link"),
    pytest.param([cut("2", -10), LINK], PARTED, id="an unlink holds against a later link"),
    pytest.param([LINK, CUT, undo("3", 11)], JOINED, id="the newest unlink of the pair lifts it"),
    pytest.param([LINK, CUT, undo("3", 9)], PARTED, id="an older undo lifts nothing"),
    pytest.param([LINK, cut("a", 5), undo("b", 5)], JOINED, id="of one instant the greater event id is newer"),
    pytest.param([LINK, CUT, undo("2", 20)], PARTED, id="an undo whose event id is taken does not count"),
    pytest.param(
        [LINK, CUT, named("4", email=ANN, previous_id="41"), named("5", user_id="42", previous_id="41")],
        [["email:ann@x.org", "user:41", "user:42"]],
        id="an unlink holds against direct links only",
    ),
    pytest.param([CUT], [], id="an unlink makes nobody"),
    pytest.param([named("1", email="null", user_id="0")], [], id="a blocked value is nobody"),
    pytest.param([page("v", "1", at(), email=ANN, kept_apart="bot")], [], id="what is kept apart names nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), LEADS)
def test_who_is_one_person(events: list[Event], expected: list[list[str]]) -> None:
    assert leads(*events) == expected
    assert leads(*reversed(events)) == expected


@pytest.mark.parametrize(
    ("events", "count"),
    [
        pytest.param(one_user_with(mails=5), 1, id="a user with five e-mails is one person"),
        pytest.param(one_user_with(mails=6), 7, id="a user with six connects nobody"),
        pytest.param(one_mail_with(users=5), 1, id="an e-mail with five users is one person"),
        pytest.param(one_mail_with(users=6), 7, id="an e-mail with six connects nobody"),
        pytest.param(
            [*one_user_with(mails=6), unlink("cut", 0, "user:office", "email:00@x.org")],
            2,
            id="an unlink takes the pair out of the count",
        ),
        pytest.param(
            [contact(str(number), at(), f"c{number}", ANN, provider=provider) for number in range(3) for provider in "ab"],
            1,
            id="contacts are counted by provider",
        ),
        pytest.param(
            [contact(str(number), at(), f"c{number}", ANN) for number in range(6)],
            7,
            id="an e-mail with six contacts of one provider connects nobody",
        ),
    ],
)  # fmt: skip
def test_what_is_shared_by_too_many_connects_nobody(events: list[Event], count: int) -> None:
    assert len(leads(*events)) == count


VISITS = [
    pytest.param([page("v", "1", at("09:00")), page("v", "2", at("09:30"))], [("1", "Direct", None)], id="30 minutes"),
    pytest.param(
        [page("v", "1", at("09:00")), page("v", "2", at("09:30:00.000001"))],
        [("1", "Direct", None), ("2", "Direct", None)],
        id="more than 30 minutes",
    ),
    pytest.param(
        [page("v", "1", at("09:00")), page("v", "2", at("13:00"), referrer=INSIDE)],
        [("1", "Direct", None)],
        id="4 hours with the tab open",
    ),
    pytest.param(
        [page("v", str(hour), at(f"{hour:02}:00"), referrer=INSIDE) for hour in (1, 4, 7, 10, 13, 14)],
        [("1", "Direct", None), ("14", "Direct", None)],
        id="never longer than 12 hours",
    ),
    pytest.param(
        [page("v", "1", at("09:00")), page("v", "2", at("09:01"), GOOGLE_AD), page("v", "3", at("09:02"))],
        [("1", "Direct", None), ("2", "Paid Search", None)],
        id="a source of its own after a direct one; no source goes on",
    ),
    pytest.param(
        [page("v", "1", at("09:00"), GOOGLE_AD), page("v", "2", at("09:01"), GOOGLE_AD + "&gclid=x")],
        [("1", "Paid Search", None)],
        id="another click id with the same words does not split",
    ),
    pytest.param(
        [page("v", "1", at("09:00"), referrer=GOOGLE), page("v", "2", at("09:01"), referrer=GOOGLE)],
        [("1", "Organic Search", None)],
        id="one referrer twice is one visit",
    ),
    pytest.param(
        [
            page("v", "1", at("09:00"), NEWSLETTER, referrer=GOOGLE),
            page("v", "2", at("09:01"), referrer=GOOGLE),
            page("v", "3", at("09:02"), referrer=BING),
        ],
        [("1", "Email", None), ("3", "Organic Search", None)],
        id="a repeated referrer brings no source, a new one does",
    ),
    pytest.param(
        [form("v", "1", at("09:00"), ANN), form("v", "2", at("09:01"), BEN), page("v", "3", at("09:02"))],
        [("1", "Direct", ANN), ("2", "Direct", BEN)],
        id="a second person starts a visit",
    ),
    pytest.param(
        [
            page("v", "1", at("09:00"), GOOGLE_AD, email=ANN),
            page("v", "2", at("09:01"), GOOGLE_AD, email=BEN),
            page("v", "3", at("09:02"), GOOGLE_AD, email=ANN),
            page("v", "4", at("09:03"), GOOGLE_AD),
        ],
        [("1", "Paid Search", ANN), ("2", "Direct", BEN), ("3", "Direct", ANN)],
        id="a cut visit is direct, and the running campaign starts no other, however often people change",
    ),
    pytest.param(
        [page("v", "1", at("01:00")), page("v", "2", at("02:00"), email=ANN), page("v", "3", at("03:00")),
         page("v", "4", at("04:00"), email=BEN), page("v", "5", at("05:00"))],
        [("1", "Direct", ANN), ("2", "Direct", ANN), ("3", "Direct", ANN), ("4", "Direct", BEN), ("5", "Direct", BEN)],
        id="the anonymous past is the first one's, each later visit the last one's",
    ),
    pytest.param(
        [page("v", "1", at("09:00"), kept_apart="bot"), page("v", "1", at("09:01")), page("v", "2", at("09:02"))],
        [("2", "Direct", None)],
        id="what is kept apart is no hit, and its event id is taken",
    ),
    pytest.param(
        [page("v", "1", at("09:00")), make_event("touch", "2", at("09:01"), visitor_id="v", source="fair")],
        [("1", "Direct", None)],
        id="an offline touch is no hit",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), VISITS)
def test_which_hits_are_one_visit_and_whose(events: list[Event], expected: list[tuple[str, str, str | None]]) -> None:
    assert visits(*events) == expected
    assert visits(*reversed(events)) == expected


@pytest.mark.parametrize("number", range(5))
def test_a_history_printed_as_code_is_the_same_history(number: int) -> None:
    history = make_history(Random(number))
    assert eval(as_code(history), {"make_event": make_event, "at": at}) == history


async def test_the_smallest_history_has_only_what_the_difference_needs() -> None:
    async def differs(history: Sequence[Event]) -> bool:
        return {"e3", "e17"} <= {event["event_id"] for event in history}

    story = [page("v", f"e{number}", at()) for number in range(40)]
    assert [event["event_id"] for event in await smallest(story, differs)] == ["e3", "e17"]
