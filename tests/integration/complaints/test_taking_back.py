"""Taking a merge back, with its money: elsewhere it is for ever. Here `unlink` undoes it, and `undo` undoes that."""

from datetime import datetime
from typing import Any

import pytest

from services.reports.digest import digest_parts
from tests.builders import GOOGLE, GOOGLE_AD, NEWSLETTER, at, contact, deal, form, make_event, page
from tests.closing import Loop
from tests.integration.complaints.telling import digest_of, lead_at, login, money, people, reports_of, tell, won

ANN, BEN = "email:ann@x.org", "email:ben@x.org"

APART = [
    *(page("v", "ad", at(day=1), GOOGLE_AD), login("v", "1", at("00:01", day=1), 42, email="ann@x.org")),
    *(page("w", "mail", at(day=2), NEWSLETTER), form("w", "2", at("00:01", day=2), "ben@x.org")),
    *(won("of Ann", at(day=20), "ann@x.org"), won("of Ben", at(day=20), "ben@x.org")),
]
MISTAKE = login(None, "mistake", at(day=5), 42, email="ben@x.org")
"""Someone at the support desk entered Ben's address in Ann's account."""

OWN_MONEY = {"of Ann": {"ad": "100.00"}, "of Ben": {"mail": "100.00"}}
BOTH = {"ad": "50.00", "mail": "50.00"}
SHARED_MONEY = {"of Ann": BOTH, "of Ben": BOTH}


def unlink(event_id: str, moment: datetime, a: str = BEN, b: str = "user:42", **fields: Any) -> dict[str, Any]:
    return make_event("unlink", event_id, moment, a=a, b=b, **fields)


async def test_a_merge_by_mistake_is_taken_back_with_its_money(loop: Loop) -> None:
    """Segment, Mixpanel and PostHog call a merge irreversible."""
    seen = await tell(loop, *APART, MISTAKE)
    assert seen.leads == people(f"{ANN} {BEN} user:42")
    assert seen.money == SHARED_MONEY
    seen = await tell(loop, *APART, MISTAKE, unlink("cut", at(day=6)))
    assert seen.leads == people(f"{ANN} user:42", BEN)
    assert seen.owners == {"ad": ANN, "mail": BEN}
    assert seen.money == OWN_MONEY
    assert await lead_at(loop, "user:42") == {ANN, "user:42"}
    assert await lead_at(loop, BEN) == {BEN}


async def test_the_visit_in_which_the_mistake_was_made_is_the_addresss(loop: Loop) -> None:
    seen = await tell(
        loop, *APART, login("desk", "mistake", at(day=5), 42, email="ben@x.org"), unlink("cut", at(day=6))
    )
    assert seen.owners == {"ad": ANN, "mail": BEN, "mistake": BEN}
    assert seen.money == {"of Ann": {"ad": "100.00"}, "of Ben": {"mail": "50.00", "mistake": "50.00"}}


async def test_a_cut_that_was_a_mistake_is_taken_back_too(loop: Loop) -> None:
    seen = await tell(loop, *APART, MISTAKE, unlink("cut", at(day=6)), unlink("lifted", at(day=7), undo=True))
    assert seen.leads == people(f"{ANN} {BEN} user:42")
    assert seen.money == SHARED_MONEY


@pytest.mark.parametrize(
    "between",
    [
        pytest.param([], id="nothing"),
        pytest.param([page("v", "search", at(day=3), referrer=GOOGLE), page("w", "late", at(day=9))], id="visits of both"),
        pytest.param([page("v", "first of all", at("12:00"), NEWSLETTER)], id="a late hit within a visit's time"),
        pytest.param([form("v", "Ben on Ann's laptop", at("00:02", day=1), "ben@x.org")], id="both on one cookie, in one visit"),
        pytest.param([form("phone", "her phone", at(day=4), "ann@x.org", user_id=42)], id="a device more"),
        pytest.param([contact("c", at(day=3), "9", "ben@x.org"), contact("d", at(day=8), "9", "ben@home.org")], id="a contact"),
        pytest.param([deal("of Ben", "refund", at(day=25), contacts=[{"email": "ben@x.org"}], amount="60.00")], id="a refund"),
        pytest.param(
            [
                make_event("touch", "fair", at(day=4), email="ben@x.org", source="fair", medium="offline"),
                make_event("touch", "call", at(day=8), user_id=42, source="phone", medium="offline"),
            ],
            id="a fair and a call",
        ),
        pytest.param([won("of both", at(day=12), "ann@x.org", "ben@x.org")], id="a deal with both"),
    ],
)  # fmt: skip
async def test_after_the_cut_it_is_as_if_they_had_never_met_whatever_came_between(
    loop: Loop, between: list[dict[str, Any]]
) -> None:
    never_met = await digest_of(loop, [*APART, *between])
    merged = await digest_of(loop, [*APART, MISTAKE, *between])
    await tell(loop, *APART, MISTAKE, *between, unlink("cut", at(day=6)))
    assert await digest_parts(loop.database) == never_met != merged


async def test_the_books_still_tell_how_the_money_stood_while_the_two_were_one(loop: Loop) -> None:
    await loop.take(*APART)
    await loop.take(MISTAKE)
    await loop.take(unlink("cut", at(day=6)))
    entries = await loop.database.fetch("SELECT * FROM entries WHERE deal_id = 'of Ben' ORDER BY version")
    assert [entry["cause"] for entry in entries] == ["deal changed", *["leads merged or split"] * 2]
    stood = [await money(reports_of(loop.database), "of Ben", entry["recorded_at"]) for entry in entries]
    assert stood == [OWN_MONEY["of Ben"], BOTH, OWN_MONEY["of Ben"]]


async def test_a_cut_holds_against_a_link_that_comes_later(loop: Loop) -> None:
    seen = await tell(loop, *APART, unlink("cut", at(day=3)), MISTAKE)
    assert seen.money == OWN_MONEY


@pytest.mark.parametrize(
    ("statements", "apart"),
    [
        pytest.param([unlink("1", at(day=6)), unlink("2", at(day=7), undo=True)], False, id="the undo is the newer"),
        pytest.param([unlink("1", at(day=8)), unlink("2", at(day=7), undo=True)], True, id="the cut is the newer"),
        pytest.param([unlink("1", at(day=6)), unlink("2", at(day=6), undo=True)], False, id="at one instant the greater id"),
        pytest.param([unlink("3", at(day=6)), unlink("2", at(day=6), undo=True)], True, id="at one instant, the other way"),
        pytest.param([unlink("1", at(day=6), a="user:42", b=BEN)], True, id="the pair the other way round"),
        pytest.param([unlink("1", at(day=6), a=" email: Ben@X.ORG", b="user: 42 ")], True, id="in another spelling"),
        pytest.param([unlink("1", at(day=6), a=ANN, b=BEN)], False, id="of two that no event had linked"),
        pytest.param([unlink("1", at(day=6), a=ANN)], True, id="of the other link between them"),
        pytest.param([unlink("1", at(day=6), a="email:cem@x.org")], False, id="of somebody else"),
    ],
)  # fmt: skip
async def test_the_newest_word_on_a_pair_decides_and_on_that_pair_alone(
    loop: Loop, statements: list[dict[str, Any]], *, apart: bool
) -> None:
    await tell(loop, *APART, MISTAKE, *statements)
    assert (BEN not in await lead_at(loop, ANN)) is apart


async def test_who_is_linked_in_another_way_stays_together(loop: Loop) -> None:
    same_person = [contact("c", at(day=3), "9", "ann@x.org"), contact("d", at(day=3), "9", "ben@x.org")]
    seen = await tell(loop, *APART, MISTAKE, *same_person, unlink("cut", at(day=6)))
    assert seen.leads == people(f"{ANN} {BEN} user:42 crm:webhook:9")


async def test_a_visit_that_two_people_shared_while_they_were_one_is_two_again(loop: Loop) -> None:
    on_one_cookie = [
        page("x", "ad", at("09:00"), GOOGLE_AD),
        form("x", "ann", at("09:01"), "ann@x.org", user_id=42),
        form("x", "ben", at("09:02"), "ben@x.org"),
    ]
    assert (await tell(loop, *on_one_cookie)).owners == {"ad": ANN, "ben": BEN}
    assert (await tell(loop, *on_one_cookie, MISTAKE)).owners == {"ad": ANN}
    seen = await tell(loop, *on_one_cookie, MISTAKE, unlink("cut", at(day=6)))
    assert seen.owners == {"ad": ANN, "ben": BEN}


async def test_a_cut_pair_no_longer_counts_among_the_too_many(loop: Loop) -> None:
    """So one mistake does not part for ever a family that shares a login."""
    family = [form(f"v{n}", f"{n}", at(day=n), f"{n}@x.org", user_id="home") for n in range(1, 6)]
    stranger = form("v6", "6", at(day=6), "6@x.org", user_id="home")
    assert len((await tell(loop, *family, stranger)).leads) == 7
    seen = await tell(loop, *family, stranger, unlink("cut", at(day=7), a="email:6@x.org", b="user:home"))
    assert seen.leads == people("user:home " + " ".join(f"email:{n}@x.org" for n in range(1, 6)), "email:6@x.org")
