"""Offline touches: a call, a fair, a letter is a touch of its own, of whom it names, else of whose visits are around it."""

from typing import Any

import pytest

from tests.builders import GOOGLE_AD, at, deal, form, make_event, page
from tests.closing import Loop, differences, present
from tests.reference import present_state

TOUCHES = """
SELECT touch_id, channel, source, medium, campaign, name,
       (SELECT min(value) FROM identifiers i WHERE i.lead = o.lead) AS owner
FROM offline_touches LEFT JOIN identifiers o ON o.id = owner ORDER BY occurred_at, touch_id
"""
ANN, BEN = "email:ann@x.org", "email:ben@x.org"


def touch(event_id: str, moment: Any, **fields: Any) -> dict[str, Any]:
    return make_event("touch", event_id, moment, **{"source": "expo", "medium": "fair", **fields})


async def touches(loop: Loop) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await loop.database.fetch(TOUCHES)]


async def owners(loop: Loop) -> dict[str, str | None]:
    return {touch_id: owner for touch_id, *_, owner in await touches(loop)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"source": " Expo ", "medium": "Fair"}, ("Unassigned", "expo", "fair", None)),
        ({"source": "expo", "medium": "fair", "channel": "Events"}, ("Events", "expo", "fair", None)),
        ({"source": "fb", "medium": None, "campaign": " Spring "}, ("Organic Social", "facebook", "social", "Spring")),
        ({"source": "sales", "medium": "sms"}, ("SMS", "sales", "sms", None)),
        ({"source": None, "medium": None}, ("Unassigned", "(not set)", "(not set)", None)),
    ],
)
async def test_its_source_is_what_the_sender_says(loop: Loop, given: Any, expected: Any) -> None:
    said = {name: value for name, value in given.items() if value is not None}
    await loop.take(make_event("touch", "t", at(), email="ann@x.org", **said))
    assert [row[1:5] for row in await touches(loop)] == [expected]


async def test_a_fair_is_credited_beside_the_visits(loop: Loop) -> None:
    await loop.take(
        page("v", "1", at(day=1), GOOGLE_AD),
        form("v", "2", at("00:05"), "ann@x.org"),
        touch("fair", at(day=3), email="ann@x.org", name="Hall 4"),
        deal("D", "w", at(day=5), contacts=[{"email": "ann@x.org"}]),
    )
    rows = await loop.database.fetch("SELECT touch_id, channel, visitor_id FROM entries WHERE superseded_at IS NULL")
    assert [tuple(row) for row in rows] == [(["1", "fair"], ["Paid Search", "Unassigned"], ["v", ""])]
    linear = await loop.database.fetchval(
        "SELECT amounts FROM credits WHERE model = 'linear' ORDER BY version DESC LIMIT 1"
    )
    assert linear == [5000, 5000]


@pytest.mark.parametrize(
    ("said", "owner"),
    [
        pytest.param({"email": "ann@x.org", "user_id": "7"}, ANN, id="its e-mail's"),
        pytest.param({"user_id": "7", "visitor_id": "shared"}, "user:7", id="else its user's"),
        pytest.param({"visitor_id": "shared"}, ANN, id="else of the last visit at or before it"),
        pytest.param({"visitor_id": "late"}, BEN, id="else of the first visit"),
        pytest.param({"visitor_id": "unknown"}, None, id="a visitor that nobody saw is nobody"),
        pytest.param({}, None, id="nobody's"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_whose_a_touch_is(loop: Loop, said: Any, owner: str | None, *, first: bool) -> None:
    fair = touch("fair", at(day=3), **said)
    visits = [
        form("shared", "1", at(day=1), "ann@x.org"),
        form("shared", "2", at(day=5), "ben@x.org"),
        form("late", "3", at(day=9), "ben@x.org"),
    ]
    if said.get("email"):
        visits = visits[:0]
    await loop.take(*([fair, *visits] if first else [*visits, fair]))
    assert await owners(loop) == {"fair": owner}


async def test_a_touch_follows_its_visitor_to_whoever_the_visits_go(loop: Loop) -> None:
    await loop.take(page("v", "1", at(day=1)), touch("call", at(day=2), visitor_id="v"))
    assert await owners(loop) == {"call": None}
    await loop.take(form("v", "2", at(day=9), "ben@x.org"))
    assert await owners(loop) == {"call": BEN}
    await loop.take(form("v", "0", at(day=1), "ann@x.org"))
    assert await owners(loop) == {"call": ANN}


async def test_a_touch_of_a_mailbox_of_many_goes_to_its_user_and_comes_back(loop: Loop) -> None:
    await loop.take(touch("call", at(day=2), email="info@x.org", user_id="u1"))
    assert (await owners(loop))["call"] == "email:info@x.org"
    await loop.take(*(form(None, f"f{n}", at(day=n), "info@x.org", user_id=f"u{n}") for n in range(2, 7)))
    assert (await owners(loop))["call"] == "user:u1"
    await loop.take(make_event("unlink", "x", at(day=20), a="email:info@x.org", b="user:u6"))
    assert (await owners(loop))["call"] == "email:info@x.org"


async def test_an_event_id_that_a_form_has_taken_is_no_touch(loop: Loop) -> None:
    await loop.take(touch("same", at(day=3), email="ann@x.org"))
    assert await owners(loop) == {"same": ANN}
    await loop.take(form(None, "same", at(day=2), "ann@x.org"))
    assert await owners(loop) == {}


async def test_a_hit_takes_the_event_id_of_its_visitors_touch(loop: Loop) -> None:
    await loop.take(touch("same", at(day=3), visitor_id="v", email="ann@x.org"))
    await loop.take(page("v", "same", at(day=2)))
    assert await owners(loop) == {}


async def test_a_touch_told_anew_with_an_earlier_date_moves_and_credits_follow(loop: Loop) -> None:
    won = deal("D", "w", at(day=5), contacts=[{"email": "ann@x.org"}])
    await loop.take(touch("t", at(day=9), email="ann@x.org"), won)
    await loop.take(touch("t", at(day=4), email="ann@x.org"))
    last = await loop.database.fetchval("SELECT touch_id FROM entries WHERE superseded_at IS NULL")
    assert last == ["t"]


async def test_records_kept_apart_make_no_visit_and_no_lead_and_still_take_their_event_id(loop: Loop) -> None:
    bot = {"kept_apart": "bot"}
    await loop.take(
        page("v", "1", at("09:00"), GOOGLE_AD, **bot),
        form("v", "2", at("09:01"), "ann@x.org", **bot),
        page("v", "3", at("09:02")),
    )
    state = await present(loop.database)
    assert state["leads"] == []
    assert [(row[2], row[5]) for row in state["visits"]] == [("3", "Direct")]
    await loop.take(page("v", "3", at("08:00"), **bot))
    assert (await present(loop.database))["visits"] == []
    apart = await loop.database.fetch("SELECT event_id, kept_apart FROM apart ORDER BY event_id")
    assert [tuple(row) for row in apart] == [("1", "bot"), ("2", "bot"), ("3", "bot")]


async def test_two_people_at_a_fair_who_turn_out_to_be_one_were_there_twice(loop: Loop) -> None:
    """The list names one by address and one by number, and gives both the same event id: each has a scope of its own."""
    log = [
        make_event("touch", "fair", at(day=2), email="ann@x.org", source="expo"),
        make_event("touch", "fair", at(day=2), user_id="42", source="expo"),
        make_event("identify", "m", at(day=1), email="ann@x.org", user_id="42"),
        deal("D", "w", at(day=5), contacts=[{"email": "ann@x.org"}]),
    ]
    await loop.take(*log)
    assert differences(await present(loop.database), present_state(log)) == []
