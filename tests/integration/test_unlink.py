"""`unlink` takes two people apart that an event had made one, with their visits and their money; `undo` lifts it."""

from itertools import permutations
from typing import Any

import pytest

from tests.builders import GOOGLE_AD, NEWSLETTER, at, deal, form, make_event, page
from tests.closing import Loop, present

ANN, BEN, WEB = "email:ann@x.org", "email:ben@x.org", "user:42"
LEADS = "SELECT array_agg(value ORDER BY value) FROM identifiers GROUP BY lead ORDER BY 1"
CREDITS = "SELECT deal_id, touch_id, superseded_at IS NULL AS current, cause FROM entries ORDER BY deal_id, version"


def unlink(event_id: str, moment: Any, a: str, b: str, **fields: Any) -> dict[str, Any]:
    return make_event("unlink", event_id, moment, a=a, b=b, **fields)


async def leads(loop: Loop) -> list[list[str]]:
    return [row[0] for row in await loop.database.fetch(LEADS)]


HISTORY = [
    page("laptop", "1", at(day=1), GOOGLE_AD),
    form("laptop", "2", at("00:05"), "ann@x.org"),
    page("phone", "3", at(day=2), NEWSLETTER),
    make_event("identify", "4", at("00:05", day=2), visitor_id="phone", user_id=42),
    deal("D", "w", at(day=5), contacts=[{"email": "ann@x.org"}]),
]
MISTAKE = make_event("identify", "m", at(day=3), email="ann@x.org", user_id=42)
APART = unlink("u", at(day=4), ANN, WEB)


async def test_a_merge_that_is_unlinked_gives_back_visits_owners_and_money(loop: Loop) -> None:
    await loop.take(*HISTORY)
    never_merged = await present(loop.database)
    await loop.take(MISTAKE)
    assert await leads(loop) == [[ANN, WEB]]
    await loop.take(APART)
    assert await present(loop.database) == never_merged
    assert [tuple(row) for row in await loop.database.fetch(CREDITS)] == [
        ("D", ["1"], False, "deal changed"),
        ("D", ["1", "3"], False, "leads merged or split"),
        ("D", ["1"], True, "leads merged or split"),
    ]


@pytest.mark.parametrize("order", list(permutations([MISTAKE, APART, unlink("v", at(day=3), ANN, WEB, undo=True)])))
async def test_the_newest_word_on_a_pair_decides_whenever_it_arrives(loop: Loop, order: tuple[Any, ...]) -> None:
    await loop.take(*HISTORY, *order)
    assert await leads(loop) == [[ANN], [WEB]]


async def test_undo_makes_them_one_again_and_a_later_unlink_parts_them_once_more(loop: Loop) -> None:
    await loop.take(*HISTORY, MISTAKE, APART, unlink("v", at(day=5), WEB, ANN, undo=True))
    assert await leads(loop) == [[ANN, WEB]]
    await loop.take(unlink("w", at(day=6), " email: ANN@x.org", "user: 42 "))
    assert await leads(loop) == [[ANN], [WEB]]


async def test_of_two_unlinks_with_one_event_id_the_earlier_counts(loop: Loop) -> None:
    await loop.take(MISTAKE, unlink("u", at(day=4), ANN, WEB))
    assert await leads(loop) == [[ANN], [WEB]]
    await loop.take(unlink("u", at(day=3), ANN, BEN))
    assert await leads(loop) == [[ANN, WEB]]


async def test_a_pair_stays_one_lead_where_another_chain_still_links_it(loop: Loop) -> None:
    chain = [
        make_event("identify", f"{user}{n}", at(), email=ANN[6:], user_id=user) for n, user in enumerate(("42", "7"))
    ]
    bridge = make_event("identify", "b", at(), user_id="42", previous_id="7")
    await loop.take(*chain, bridge, APART)
    assert await leads(loop) == [[ANN, "user:42", "user:7"]]


async def test_a_login_of_six_people_names_somebody_again_once_one_is_unlinked(loop: Loop) -> None:
    office = [form(f"desk{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 7)]
    alone = make_event(
        "identify", "tablet", at(day=9), visitor_id="tablet", user_id="office", url="https://shop.example/"
    )
    await loop.take(*office, alone)
    assert len(await leads(loop)) == 7
    await loop.take(unlink("u", at(day=20), "email:6@x.org", "user:office"))
    assert sorted(map(len, await leads(loop))) == [1, 6]
    expected = await present(loop.database)
    assert {row[0]: row[-1] for row in expected["visits"]}["tablet"] is not None
    await loop.take(unlink("v", at(day=21), "email:6@x.org", "user:office", undo=True))
    assert len(await leads(loop)) == 7
    await loop.empty()
    await loop.take(unlink("u", at(day=20), "email:6@x.org", "user:office"), alone, *reversed(office))
    assert await present(loop.database) == expected


async def test_an_unlinked_partner_does_not_count_for_shared(loop: Loop) -> None:
    office = [form(None, f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 6)]
    await loop.take(*office, unlink("u", at(day=20), "email:6@x.org", "user:office"))
    await loop.take(form(None, "f6", at(day=6), "6@x.org", user_id="office"))
    assert sorted(map(len, await leads(loop))) == [1, 6]


async def test_people_who_were_never_seen_can_be_unlinked_before_they_are(loop: Loop) -> None:
    await loop.take(APART)
    assert await leads(loop) == []
    await loop.take(MISTAKE)
    assert await leads(loop) == [[ANN], [WEB]]


async def test_the_event_that_linked_them_still_names_its_email(loop: Loop) -> None:
    both = make_event("identify", "m", at(), visitor_id="v", url="https://shop.example/", email="ann@x.org", user_id=42)
    await loop.take(both, page("v", "p", at(day=2)), APART)
    owners = "SELECT DISTINCT value FROM visits JOIN identifiers ON id = owner"
    assert [row[0] for row in await loop.database.fetch(owners)] == [ANN]
