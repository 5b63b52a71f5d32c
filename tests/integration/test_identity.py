"""Identity on a real Postgres: whose visits are whose, whatever came late, twice or in between."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import count, pairwise, permutations
from typing import Any

import pytest

from identity import fact_store, lead_store
from identity.facts import Facts, facts_of
from identity.settling import settle_leads
from schemas.canonical import event_rank
from schemas.codec import decode, encode
from services.runtime.postgres import Database
from tests.builders import (
    GOOGLE_AD,
    ID_KEY,
    NEWSLETTER,
    SITE,
    at,
    contact,
    deal,
    delivery,
    form,
    make_event,
    page,
)
from tests.closing import Crash, Loop, commits, crashes, differences, present
from tests.interleaving.turns import Pause, Turns, open_actors
from tests.reference import present_state

VISITS = """
SELECT visitor_id, touch_id, channel, (SELECT min(value) FROM identifiers i WHERE i.lead = o.lead) AS owner
FROM visit LEFT JOIN identifiers o ON o.id = owner
ORDER BY visitor_id, occurred_at, touch_id
"""
WAITING = "SELECT from_at, to_at FROM notes WHERE kind = 'visitor' AND key = $1"
LEADS = "SELECT array_agg(value ORDER BY value) FROM identifiers GROUP BY lead"
NAMES = "SELECT DISTINCT name.value FROM identifiers JOIN identifiers name ON name.id = identifiers.lead ORDER BY 1"

ANN, BEN, CEM = "email:ann@x.org", "email:ben@x.org", "email:cem@x.org"


async def leads(loop: Loop) -> set[frozenset[str]]:
    return {frozenset(row[0]) for row in await loop.database.fetch(LEADS)}


async def names(loop: Loop) -> list[str]:
    """Of each lead the identifier after which it is named."""
    return [name for (name,) in await loop.database.fetch(NAMES)]


async def visits(loop: Loop) -> list[tuple[str, str, str, str | None]]:
    """Visitor, first hit, channel, and the owner by the least of the lead's identifiers."""
    return [tuple(row) for row in await loop.database.fetch(VISITS)]


async def owners(loop: Loop) -> list[str | None]:
    return [owner for *_, owner in await visits(loop)]


def identify(visitor: str, event_id: str, moment: Any, **who: Any) -> dict[str, Any]:
    return make_event("identify", event_id, moment, visitor_id=visitor, **who)


async def test_a_form_brings_the_whole_anonymous_past_to_the_lead(loop: Loop) -> None:
    await loop.take(
        page("v", "1", at(day=1), GOOGLE_AD), page("v", "2", at(day=20)), form("v", "3", at(day=40), "ann@x.org")
    )
    assert await visits(loop) == [
        ("v", "1", "Paid Search", ANN),
        ("v", "2", "Direct", ANN),
        ("v", "3", "Direct", ANN),
    ]


async def test_a_form_that_arrives_late_brings_what_lies_around_it(loop: Loop) -> None:
    await loop.take(*(page("v", str(day), at(day=day)) for day in (1, 2, 4, 5)))
    assert await owners(loop) == [None] * 4
    await loop.take(form("v", "3", at(day=3), "ann@x.org"))
    assert await owners(loop) == [ANN] * 5
    await loop.take(form("v", "0", at("12:00", day=1), "ben@x.org"))
    assert await owners(loop) == [BEN, BEN, BEN, ANN, ANN, ANN]


async def test_a_second_person_takes_nothing_from_the_first_not_even_from_long_ago(loop: Loop) -> None:
    await loop.take(form("v", "1", at(day=1), "ann@x.org"), *(page("v", f"{day}", at(day=day)) for day in (2, 3, 4)))
    await loop.take(form("v", "5", at(day=5), "ben@x.org"), page("v", "6", at(day=6)))
    assert await owners(loop) == [ANN, ANN, ANN, ANN, BEN, BEN]


async def test_visits_of_one_who_was_never_there_after_all_are_the_next_ones(loop: Loop) -> None:
    """An earlier record under the form's id counts in its place, and names nobody."""
    await loop.take(
        page("v", "1", at(day=1)), page("v", "2", at(day=2)), form("v", "3", at("00:10", day=3), "ann@x.org")
    )
    await loop.take(page("v", "4", at(day=4)), page("v", "5", at(day=5)), form("v", "6", at(day=6), "ben@x.org"))
    assert await owners(loop) == [ANN, ANN, ANN, ANN, ANN, BEN]
    await loop.take(page("v", "3", at("00:05", day=3)))
    assert await owners(loop) == [BEN] * 6


async def test_three_people_on_one_laptop_are_three_leads(loop: Loop) -> None:
    people = ["ann@x.org", "ben@x.org", "cem@x.org"]
    await loop.take(
        page("laptop", "before", at("08:55"), GOOGLE_AD),
        *(form("laptop", mail, at(f"09:0{minute}"), mail) for minute, mail in enumerate(people)),
        page("laptop", "after", at(day=2)),
    )
    assert await leads(loop) == {frozenset({ANN}), frozenset({BEN}), frozenset({CEM})}
    assert await visits(loop) == [
        ("laptop", "before", "Paid Search", ANN),
        ("laptop", "ben@x.org", "Direct", BEN),
        ("laptop", "cem@x.org", "Direct", CEM),
        ("laptop", "after", "Direct", CEM),
    ]


async def test_a_login_on_two_devices_makes_one_lead(loop: Loop) -> None:
    await loop.take(
        page("laptop", "l1", at(day=1)),
        identify("laptop", "l2", at("00:01", day=1), user_id="42"),
        page("phone", "p1", at(day=2)),
        form("phone", "p2", at("00:01", day=2), "ann@x.org"),
    )
    assert await leads(loop) == {frozenset({"user:42"}), frozenset({ANN})}
    await loop.take(identify("phone", "p3", at("00:02", day=2), user_id="42", email="ann@x.org"))
    assert await leads(loop) == {frozenset({ANN, "user:42"})}
    assert await owners(loop) == [ANN, ANN]


async def test_visits_cut_for_two_people_join_when_the_two_turn_out_to_be_one(loop: Loop) -> None:
    await loop.take(
        page("v", "1", at("09:00"), GOOGLE_AD),
        form("v", "2", at("09:01"), "ann@x.org"),
        form("v", "3", at("09:02"), "ann@home.org"),
    )
    assert await visits(loop) == [("v", "1", "Paid Search", ANN), ("v", "3", "Direct", "email:ann@home.org")]
    await loop.take(contact("c1", at(), "9", "ann@x.org"), contact("c2", at(), "9", "ann@home.org"))
    assert await visits(loop) == [("v", "1", "Paid Search", "crm:webhook:9")]


async def test_the_sixth_address_on_a_login_parts_those_whom_it_had_joined(loop: Loop) -> None:
    office = [form(f"desk{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id="office") for n in range(1, 7)]
    await loop.take(
        page("desk1", "login", at(day=9)), identify("tablet", "t", at(day=9), user_id="office"), *office[:5]
    )
    assert len(await leads(loop)) == 1
    assert await owners(loop) == ["email:1@x.org"] * 7
    await loop.take(office[5])
    assert len(await leads(loop)) == 7
    assert [(visitor, owner) for visitor, _, _, owner in await visits(loop)] == [
        ("desk1", "email:1@x.org"),
        *((f"desk{n}", f"email:{n}@x.org") for n in range(1, 7)),
        ("tablet", None),
    ]


async def test_a_login_of_thousands_costs_each_of_them_no_more_than_one_of_ten(loop: Loop) -> None:
    """Counted in pairs that are looked at while the leads are locked."""
    await loop.handle([delivery(form(None, f"{n}", at(), f"{n}@x.org", user_id="web")) for n in range(2_000)])
    late = facts(form(None, "late", at(), "late@x.org", user_id="web"))
    await fact_store.add_facts(loop.database, late)
    async with loop.database.transaction() as connection:
        changed = sorted({end for link in await lead_store.take_links(connection, late) for end in link[:2]})
        members, outsiders, pairs = await lead_store.neighbourhood(connection, changed, ())
    assert (len(members), len(outsiders), len(pairs)) == (2, 0, 1)


async def test_a_lead_without_a_cookie_has_no_visits(loop: Loop) -> None:
    await loop.take(form(None, "f", at(), "ann@x.org"))
    assert (await leads(loop), await visits(loop)) == ({frozenset({ANN})}, [])


@pytest.mark.parametrize("nobody", ["null", "undefined", "[object Object]", "0", "anonymous", "'guest'"])
async def test_a_broken_tag_does_not_join_its_visitors(loop: Loop, nobody: str) -> None:
    await loop.take(*(form(f"v{n}", f"f{n}", at(day=n), f"{n}@x.org", user_id=nobody) for n in (1, 2, 3)))
    assert len(await leads(loop)) == 3


MORNING = [page("v", "1", at("09:00"), GOOGLE_AD), page("v", "2", at("09:20")), page("v", "3", at("11:00"), NEWSLETTER)]


@pytest.mark.parametrize(
    ("late", "starts"),
    [
        pytest.param(page("v", "0", at("09:10")), ["1", "3"], id="inside a visit"),
        pytest.param(page("v", "0", at("10:00")), ["1", "0", "3"], id="between two visits"),
        pytest.param(page("v", "0", at("10:45")), ["1", "0", "3"], id="shortly before the second"),
        pytest.param(
            page("v", "0", at("10:45"), NEWSLETTER), ["1", "0"], id="shortly before the second, which it takes over"
        ),
        pytest.param(page("v", "0", at("08:00")), ["0", "1", "3"], id="before the first visit"),
        pytest.param(
            page("v", "0", at("08:45"), GOOGLE_AD), ["0", "3"], id="before the first visit, which it takes over"
        ),
        pytest.param(page("v", "0", at("09:00"), GOOGLE_AD), ["0", "3"], id="at the same instant with a lesser id"),
        pytest.param(page("v", "9", at("09:00"), GOOGLE_AD), ["1", "3"], id="at the same instant with a greater id"),
        pytest.param(page("v", "0", at("12:00")), ["1", "3", "0"], id="after the last"),
    ],
)
async def test_a_late_page_view_finds_its_visit(loop: Loop, late: dict[str, Any], starts: list[str]) -> None:
    await loop.take(*MORNING)
    assert [touch for _, touch, *_ in await visits(loop)] == ["1", "3"]
    await loop.take(late)
    assert [touch for _, touch, *_ in await visits(loop)] == starts


async def test_a_late_page_view_can_change_how_the_next_visit_began(loop: Loop) -> None:
    """Without it Ben came after a pause, by the ad; with it he took over Ann's visit."""
    await loop.take(
        identify("v", "1", at("09:00"), email="ann@x.org", url=GOOGLE_AD),
        identify("v", "2", at("10:00"), email="ben@x.org", url=GOOGLE_AD),
    )
    assert [channel for _, _, channel, _ in await visits(loop)] == ["Paid Search", "Paid Search"]
    await loop.take(page("v", "3", at("09:30")))
    assert [channel for _, _, channel, _ in await visits(loop)] == ["Paid Search", "Direct"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_two_records_with_one_id_the_earlier_counts_and_both_speak_of_people(
    loop: Loop, order: Sequence[int]
) -> None:
    records = [
        page("v", "1", at(day=1)),
        form("v", "2", at(day=3), "ann@x.org", user_id="42"),
        form("v", "2", at(day=2), "ben@x.org", user_id="42"),
    ]
    await loop.take(*(records[place] for place in order))
    assert await leads(loop) == {frozenset({ANN, BEN, "user:42"})}
    rows = await loop.database.fetch("SELECT touch_id, started_at FROM visits ORDER BY started_at")
    assert [tuple(row) for row in rows] == [("1", at(day=1)), ("2", at(day=2))]


@pytest.mark.parametrize("order", list(permutations(range(2))))
async def test_of_two_bodies_at_one_instant_the_lesser_hash_counts(loop: Loop, order: Sequence[int]) -> None:
    bodies = sorted((page("v", "1", at(), SITE + name) for name in ("shoes", "hats")), key=event_rank)
    await loop.take(*(bodies[place] for place in order))
    assert await loop.database.fetchval("SELECT landing_page FROM visits") == bodies[0]["url"]


async def test_a_batch_that_comes_again_after_a_crash_changes_nothing_more(loop: Loop) -> None:
    log = [
        *MORNING,
        form("v", "4", at("11:01"), "ann@x.org", user_id="42"),
        form("w", "5", at(), "ben@x.org", user_id="42"),
    ]
    batch = [delivery(payload) for payload in log]
    await fact_store.add_facts(loop.database, facts_of(((each.event, each.body) for each in batch), ID_KEY, ()))
    with pytest.raises(Crash):
        await loop.handle(batch, crashes)
    assert await visits(loop) == []
    await loop.handle(batch)
    await loop.handle(batch)
    await loop.settle()
    assert differences(await present(loop.database), present_state(log)) == []


async def test_a_replaced_event_id_is_folded_after_a_crash_between_its_facts_and_its_visits(loop: Loop) -> None:
    await loop.take(*MORNING)
    moved = page("v", "3", at("09:10"), NEWSLETTER)
    [late] = [delivery(moved)]
    await fact_store.add_facts(loop.database, facts_of([(late.event, late.body)], ID_KEY, ()))
    await loop.take(page("v", "4", at("11:05")))
    await loop.take(moved)
    assert (
        differences(await present(loop.database), present_state([*MORNING, moved, page("v", "4", at("11:05"))])) == []
    )


async def test_a_deal_connects_its_contacts_only_within_each(loop: Loop) -> None:
    people = [{"email": "ann@x.org", "contact_id": 9}, {"email": "ben@x.org"}]
    await loop.take(deal("7", "d", at(), provider="hubspot", contacts=people))
    assert await leads(loop) == {frozenset({ANN, "crm:hubspot:9"}), frozenset({BEN})}


async def test_a_lead_has_the_id_of_its_earliest_identifier_also_when_that_is_learned_late(loop: Loop) -> None:
    await loop.take(
        form("v", "1", at(day=5), "ann@x.org"), identify("v", "2", at(day=6), user_id="42", email="ann@x.org")
    )
    assert await names(loop) == [ANN]
    await loop.take(identify("w", "3", at(day=1), user_id="42"))
    assert await names(loop) == ["user:42"]


def facts(*payloads: dict[str, Any]) -> Facts:
    return facts_of(((each.event, each.body) for each in map(delivery, payloads)), ID_KEY, ())


async def add_and_settle(database: Database, batch: Facts) -> None:
    numbers = await fact_store.add_facts(database, batch)
    await settle_leads(database, batch, numbers, ())


@pytest.mark.parametrize(("who", "name"), [({"email": "ann@x.org"}, ANN), ({"user_id": "42"}, "user:42")])
async def test_an_earlier_sighting_that_comes_while_leads_are_settled_is_not_forgotten(
    loop: Loop, loop_dsn: str, who: dict[str, str], name: str
) -> None:
    """At whatever moment it comes, it gives the lead its name."""
    both = facts(make_event("identify", "1", at(day=5), email="ann@x.org", user_id="42"))
    earlier = facts(make_event("identify", "2", at(day=1), **who))
    async with open_actors(loop_dsn, "one", "other") as pools:
        (one, first), (other, second) = pools.items()
        for moment in count():
            await loop.empty()
            pause = Pause(one, moment)
            await Turns(loop.database, pause).play(
                {one: add_and_settle(first, both), other: add_and_settle(second, earlier)}
            )
            assert await names(loop) == [name]
            if not pause.begun:
                break


async def test_a_pair_that_another_consumer_has_yet_to_settle_is_not_forgotten(loop: Loop) -> None:
    """It hangs on an identifier that is settled because of another one of its lead."""
    stored = form(None, "2", at(), "ann@x.org", user_id="43")
    await loop.take(form(None, "1", at(), "ann@x.org", user_id="42"))
    await fact_store.add_facts(loop.database, facts(stored))
    await loop.take(identify("v", "3", at(), user_id="42", previous_id="41"))
    assert await lead_store.brings_links(loop.database, facts(stored))
    await loop.take(stored)
    assert await leads(loop) == {frozenset({ANN, "user:41", "user:42", "user:43"})}


async def test_visitors_and_ids_are_ordered_by_code_point(loop: Loop) -> None:
    await loop.take(page("v", "a", at(), NEWSLETTER), page("v", "B", at(), GOOGLE_AD), page("v", "\u00e4", at()))
    assert [(touch, channel) for _, touch, channel, _ in await visits(loop)] == [("B", "Paid Search"), ("a", "Email")]


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_ends_of_time_are_times_too(loop: Loop, year: str) -> None:
    log = [*MORNING, {**form("v", "9", at(), "ann@x.org"), "occurred_at": year}]
    await loop.take(*log)
    await loop.take(identify("v", "10", at("09:30"), user_id="42", email="ben@x.org"))
    assert len(await visits(loop)) == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_an_event_that_is_no_hit_can_be_the_one_that_counts_for_an_id(loop: Loop, order: tuple[int, ...]) -> None:
    log = [
        page("v", "1", at(), GOOGLE_AD),
        make_event("email_open", "2", at("00:05"), visitor_id="v"),
        page("v", "2", at("00:50"), NEWSLETTER),
    ]
    await loop.take(*(log[place] for place in order))
    assert await visits(loop) == [("v", "1", "Paid Search", None)]
    assert differences(await present(loop.database), present_state(log)) == []


@pytest.mark.parametrize("parts", [[0, 3], [0, 1, 2, 3]], ids=["whole", "in parts"])
async def test_a_batch_that_joined_leads_and_crashed_may_come_back_in_parts(loop: Loop, parts: list[int]) -> None:
    before = [
        make_event("identify", "0", at("00:00", day=1), visitor_id="w", email="ann@x.org"),
        make_event("identify", "m", at("12:00", day=3), visitor_id="v", url=SITE, email="ann@x.org"),
        make_event("identify", "m2", at("12:10", day=3), visitor_id="v", url=SITE, user_id="7"),
    ]
    batch = [
        make_event("identify", "e1", at("02:00", day=3), visitor_id="v", user_id="7"),
        make_event("identify", "e2", at("23:00", day=3), visitor_id="v", user_id="7"),
        make_event("identify", "e3", at("23:30", day=3), email="ann@x.org", user_id="7"),
    ]
    await loop.take(*before)
    with pytest.raises(Crash):
        await loop.identity.handle([delivery(event) for event in batch], crashes)
    for start, end in pairwise(parts):
        await loop.handle([delivery(event) for event in batch[start:end]])
    await loop.settle()
    assert differences(await present(loop.database), present_state(before + batch)) == []


async def test_a_lead_that_was_put_together_and_then_joined_another_before_anybody_was_told(loop: Loop) -> None:
    before = [
        make_event("identify", "1", at("08:00"), visitor_id="w", user_id="y"),
        make_event("identify", "2", at("08:30"), email="ann@x.org", user_id="8"),
        make_event("unlink", "3", at("08:31"), a="email:ann@x.org", b="user:8"),
        make_event("identify", "4", at("09:00"), visitor_id="v", url=SITE, user_id="8"),
        make_event("identify", "5", at("09:05"), visitor_id="v", url=SITE, email="ann@x.org"),
    ]
    again = make_event("unlink", "6", at("10:00"), a="email:ann@x.org", b="user:8", undo=True)
    joins = make_event("identify", "7", at("10:01"), email="ann@x.org", user_id="y")
    await loop.take(*before)
    assert len(await visits(loop)) == 3
    for event in (again, joins):
        await loop.identity.handle([delivery(event)], commits)
    await loop.settle()
    assert differences(await present(loop.database), present_state([*before, again, joins])) == []
    assert len(await visits(loop)) == 2


async def test_who_sees_a_known_person_again_does_not_wait_for_who_changes_the_lead(loop: Loop) -> None:
    await loop.take(form("v1", "e1", at("09:00"), "ann@x.org", user_id="42"))
    async with loop.database.transaction() as connection:
        await connection.execute("UPDATE identifiers SET lead = lead")
        await connection.execute("UPDATE pairs SET settled = settled")
        facts = facts_of([decode(encode(form("v2", "e2", at("10:00"), "ann@x.org", user_id="42")))], ID_KEY, ())
        await asyncio.wait_for(fact_store.add_facts(loop.database, facts), timeout=10)


async def test_a_link_between_customers_of_a_till_concerns_no_more_of_its_history_than_theirs(loop: Loop) -> None:
    days = [form("till", f"{day}", at(day=day), f"{day}@x.org", user_id=f"u{day}") for day in range(1, 10)]
    await loop.take(*days)
    await loop.identity.handle([delivery(make_event("identify", "j", at(), user_id="u5", email="6@x.org"))], commits)
    [span] = await loop.database.fetch(WAITING, "till")
    assert span["to_at"] - span["from_at"] <= timedelta(days=1)
