"""Identity at its edges: touches that differ in their ids' scopes alone, folds that wait for each other, a till's history."""

from datetime import timedelta

import pytest

from tests.builders import at, deal, delivery, form, make_event, page
from tests.closing import Loop, commits, differences, present
from tests.reference import present_state

WAITING = "SELECT from_at, to_at FROM notes WHERE kind = 'visitor' AND key = $1"


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


async def test_late_hits_of_several_batches_wait_in_one_note(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 3)
    await loop.take(*(page("kiosk", f"{n:02}", at(f"09:{n:02}")) for n in range(0, 60, 2)))
    for n in (31, 11, 51):
        await loop.handle([delivery(page("kiosk", f"x{n}", at(f"09:{n}")))])
    assert [tuple(row) for row in await loop.database.fetch(WAITING, "kiosk")] == [(at("09:11"), at("09:51"))]


async def test_a_link_between_customers_of_a_till_concerns_no_more_of_its_history_than_theirs(loop: Loop) -> None:
    days = [form("till", f"{day}", at(day=day), f"{day}@x.org", user_id=f"u{day}") for day in range(1, 10)]
    await loop.take(*days)
    await loop.identity.handle([delivery(make_event("identify", "j", at(), user_id="u5", email="6@x.org"))], commits)
    [span] = await loop.database.fetch(WAITING, "till")
    assert span["to_at"] - span["from_at"] <= timedelta(days=1)
