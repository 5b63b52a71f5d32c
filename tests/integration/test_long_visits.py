"""Visitors with very many hits, such as a kiosk or a monitor: what is late waits, and is folded in parts, and comes right."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from identity import store
from identity.ranges import Range
from identity.visits import Hit
from services.runtime.postgres import Connection
from tests.builders import GOOGLE_AD, at, delivery, form, page
from tests.closing import Loop, differences, present
from tests.reference import present_state

WAITING = "SELECT from_at, to_at FROM notes WHERE kind = 'visitor' AND key = $1"


async def touches_of(loop: Loop) -> list[str]:
    return [row["touch_id"] for row in await loop.database.fetch("SELECT touch_id FROM visits ORDER BY started_at")]


async def late_on_many_days(loop: Loop, count: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
    """A kiosk's visits on so many days, and then a late form on each of them, all put off in one note."""
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 1)
    days = [page("kiosk", f"{day}-{n}", at(f"09:0{n}", day=day)) for day in range(1, count + 1) for n in (0, 2, 4)]
    late = [form("kiosk", f"{day}-x", at("09:03", day=day), f"{day}@x.org") for day in range(1, count + 1)]
    await loop.take(*days)
    await loop.handle([delivery(event) for event in late])
    return days, late


async def test_late_hits_in_a_very_long_visit_wait_for_each_other_and_come_right(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 3)
    kiosk = [page("kiosk", f"{n:02}", at(f"09:{n:02}")) for n in range(0, 60, 2)]
    late = [page("kiosk", "x1", at("09:11"), GOOGLE_AD), form("kiosk", "x2", at("09:31"), "ann@x.org")]
    await loop.take(*kiosk, *late)
    assert await touches_of(loop) == ["00"]
    waiting = "SELECT count(*) FROM notes WHERE kind = 'visitor' AND key = 'kiosk' AND due_at > clock_timestamp()"
    assert await loop.database.fetchval(waiting) == 1
    await loop.database.execute("UPDATE notes SET due_at = clock_timestamp()")
    await loop.settle()
    assert differences(await present(loop.database), present_state([*kiosk, *late])) == []
    assert await touches_of(loop) == ["00", "x1"]


async def test_late_hits_of_several_batches_wait_in_one_note(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 3)
    await loop.take(*(page("kiosk", f"{n:02}", at(f"09:{n:02}")) for n in range(0, 60, 2)))
    for n in (31, 11, 51):
        await loop.handle([delivery(page("kiosk", f"x{n}", at(f"09:{n}")))])
    assert [tuple(row) for row in await loop.database.fetch(WAITING, "kiosk")] == [(at("09:11"), at("09:51"))]


async def test_hits_before_and_behind_a_very_long_visit_wait_too(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", 3)
    await loop.take(*(page("kiosk", f"{n:02}", at(f"09:{n:02}")) for n in range(0, 60, 2)))
    await loop.handle([delivery(page("kiosk", name, at(clock))) for name, clock in (("x1", "05:00"), ("x2", "15:00"))])
    assert [tuple(row) for row in await loop.database.fetch(WAITING, "kiosk")] == [(at("05:00"), at("15:00"))]


async def test_what_a_note_says_of_a_long_history_is_done_in_parts_between_which_others_have_their_turn(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.folding.HITS_AT_ONCE", 3)
    days, late = await late_on_many_days(loop, 5, monkeypatch)
    parts = 0
    while await loop.database.execute("UPDATE notes SET due_at = '-infinity' WHERE key = 'kiosk'") != "UPDATE 0":
        assert await loop.identity.work_notes()
        parts += 1
    assert parts > 2
    await loop.settle()
    assert differences(await present(loop.database), present_state([*days, *late])) == []


async def test_the_rest_of_a_long_history_is_reached_though_hits_before_it_keep_coming(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.folding.HITS_AT_ONCE", 3)
    await late_on_many_days(loop, 8, monkeypatch)
    for second in range(30):
        await loop.database.execute("UPDATE notes SET due_at = clock_timestamp() WHERE key = 'kiosk'")
        await loop.identity.work_notes()
        await loop.handle([delivery(page("kiosk", f"late{second}", at(f"09:02:{second:02}", day=1)))])
    assert await loop.database.fetchval("SELECT count(*) FROM visits WHERE identified IS NOT NULL") == 8


@pytest.mark.parametrize("again", [10, 1_000], ids=["as a note", "in the batch"])
async def test_a_hit_that_moves_every_later_visit_is_folded_in_parts(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, again: int
) -> None:
    """A monitor without a pause has visits of twelve hours, each of which begins where the one before has ended."""
    monkeypatch.setattr("identity.resolver.HITS_AGAIN_AT_ONCE", again)
    monkeypatch.setattr("identity.folding.HITS_AT_ONCE", 100)
    monkeypatch.setattr("identity.folding.LEAST_DELAY", 0)
    monkeypatch.setattr("identity.folding.HITS_A_SECOND", 10**9)
    monkeypatch.setattr("identity.folding.REST_SECONDS", 0)
    hits = [page("monitor", f"{n:05}", at() + timedelta(minutes=20 * n)) for n in range(1500)]
    for start in range(0, len(hits), 500):
        await loop.handle([delivery(hit) for hit in hits[start : start + 500]])
    read, hits_in = [], store.hits_in

    async def counted(connection: Connection, ranges: Sequence[Range]) -> tuple[dict[int, list[Hit]], Any]:
        found = await hits_in(connection, ranges)
        read.append(sum(map(len, found[0].values())))
        return found

    monkeypatch.setattr(store, "hits_in", counted)
    late = page("monitor", "late", at("13:30"), GOOGLE_AD)
    await loop.handle([delivery(late)])
    await loop.settle()
    assert max(read) < 500
    assert sum(read) > 1000
    assert differences(await present(loop.database), present_state([*hits, late])) == []
