"""The ledger on a real Postgres: who is credited for a won deal, and how that is corrected when anything changes."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from attributor import store as attributor_store
from attributor.crediting import fact_of
from schemas.canonical import event_rank
from schemas.deal import DealEvent
from tests.builders import (
    BING,
    GOOGLE,
    GOOGLE_AD,
    ID_KEY,
    NEWSLETTER,
    RULES,
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
from tests.reference import present_state

CURRENT = """
SELECT touch_id, channel, amounts FROM entries JOIN credits USING (provider, deal_id, version)
WHERE superseded_at IS NULL AND deal_id = $1 AND model = $2
"""
LEDGER = """
SELECT version, amount, touch_id, cause, superseded_cause, superseded_at >= recorded_at AS later
FROM entries WHERE deal_id = $1 ORDER BY version
"""

ANN, BEN = [{"email": "ann@x.org"}], [{"email": "ben@x.org"}]


async def credited(loop: Loop, deal_id: str = "7", model: str = "linear") -> dict[str | None, int] | None:
    """Amount by touch as the ledger has it now; none for a deal without an entry."""
    row = await loop.database.fetchrow(CURRENT, deal_id, model)
    return row and dict(zip(row["touch_id"], row["amounts"], strict=True))


async def ledger(loop: Loop, deal_id: str = "7") -> list[tuple[Any, ...]]:
    """Amount, journey, cause of the entry and of its end; of each version, the oldest first."""
    rows = await loop.database.fetch(LEDGER, deal_id)
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["later"] in {None, True} for row in rows)
    return [(row["amount"], row["touch_id"], row["cause"], row["superseded_cause"]) for row in rows]


JOURNEY = [
    page("v", "ad", at(day=1), GOOGLE_AD),
    page("v", "search", at(day=5), referrer=GOOGLE),
    page("v", "mail", at(day=9), NEWSLETTER),
    form("v", "form", at("00:05", day=9), "ann@x.org"),
]
WON = deal("7", "won", at(day=10), contacts=ANN)


@pytest.mark.parametrize(
    ("model", "amounts"),
    [
        ("first_touch", {"ad": 10_000, "search": 0, "mail": 0}),
        ("last_touch", {"ad": 0, "search": 0, "mail": 10_000}),
        ("linear", {"ad": 3_334, "search": 3_333, "mail": 3_333}),
        ("position_based", {"ad": 4_000, "search": 2_000, "mail": 4_000}),
    ],
)
async def test_a_won_deal_is_credited_to_the_touches_of_its_contact(
    loop: Loop, model: str, amounts: dict[str, int]
) -> None:
    await loop.take(*JOURNEY, WON)
    assert await credited(loop, model=model) == amounts


async def test_a_form_that_comes_late_moves_the_leads_creation_and_with_it_the_money(loop: Loop) -> None:
    """The deal was created between search and mail; the lead with the form on the last day, then earlier, then no more."""
    won = deal("7", "won", at(day=10), contacts=ANN, created_at="2026-01-06T00:00:00Z")
    earlier = form(None, "call", at(day=2), "ann@x.org")
    taken = form(None, "call", at(day=1), "ann@x.org") | {"type": "custom"}
    await loop.take(*JOURNEY, won)
    assert await credited(loop, model="w_shaped") == {"ad": 3_334, "search": 3_333, "mail": 3_333}
    await loop.take(earlier)
    assert await credited(loop, model="w_shaped") == {"ad": 6_000, "search": 3_000, "mail": 1_000}
    await loop.take(taken)
    assert await credited(loop, model="w_shaped") == {"ad": 3_334, "search": 3_333, "mail": 3_333}
    assert [cause for _, _, cause, _ in await ledger(loop)] == ["deal changed", "touch arrived", "touch arrived"]
    assert differences(await present(loop.database), present_state([*JOURNEY, won, earlier, taken])) == []


async def test_a_form_whose_id_turns_out_to_be_a_page_views_creates_no_lead(loop: Loop) -> None:
    """The earlier record is a page view of the same visitor, which no statement is."""
    won = deal("7", "won", at(day=10), contacts=ANN)
    log = [*JOURNEY, won, form("v", "f", at("06:00", day=2), "ann@x.org"), page("v", "f", at("05:00", day=2))]
    await loop.take(*log[:-1])
    before = await credited(loop, model="w_shaped")
    await loop.take(log[-1])
    assert await credited(loop, model="w_shaped") != before
    assert differences(await present(loop.database), present_state(log)) == []


async def test_a_later_call_of_somebody_known_concerns_no_deal(loop: Loop) -> None:
    """Trackers identify on every page."""
    await loop.take(*JOURNEY, WON)
    await loop.identity.handle([delivery(form("v", "again", at("00:06", day=9), "ann@x.org"))], commits)
    assert await loop.database.fetchval("SELECT count(*) FROM notes") == 0
    await loop.identity.handle([delivery(form(None, "earlier", at(day=3), "ann@x.org"))], commits)
    assert await loop.database.fetchval("SELECT count(*) FROM notes") == 1


async def test_a_form_of_an_address_that_turns_out_to_be_shared_creates_no_lead(loop: Loop) -> None:
    """Six users have used it, who are shared themselves: the address was alone in its lead, and still is."""
    users = [f"u{number}" for number in range(6)]
    log = [
        *(
            make_event("email_open", f"{user} {other}", at(day=1), email=f"{user}{other}@x.org", user_id=user)
            for user in users
            for other in range(6)
        ),
        form(None, "early", at(day=2), "ann@x.org"),
        page("v", "first", at(day=1), GOOGLE_AD),
        page("v", "second", at(day=5), NEWSLETTER),
        form("v", "third", at(day=9), "fay@x.org"),
        deal("7", "won", at(day=10), contacts=[{"email": "ann@x.org"}, {"email": "fay@x.org"}]),
    ]
    sharing = [make_event("email_open", user, at(day=20), email="ann@x.org", user_id=user) for user in users]
    parting = make_event("unlink", "part", at(day=21), a="email:ann@x.org", b="user:u0")
    await loop.take(*log)
    for more in (sharing, [parting]):
        log += more
        await loop.take(*more)
        assert differences(await present(loop.database), present_state(log)) == []


async def test_deals_of_an_older_program_get_the_models_that_it_did_not_know(loop: Loop) -> None:
    await loop.take(*JOURNEY, WON)
    async with loop.database.transaction() as connection:
        await connection.execute("SET LOCAL closedloop.rewrites_ledger = 'on'")
        await connection.execute("UPDATE entries SET lead_touch = NULL")
        await connection.execute("DELETE FROM credits WHERE model NOT IN ('first_touch', 'last_touch', 'linear')")
    await Loop(loop.database).settle()
    assert differences(await present(loop.database), present_state([*JOURNEY, WON])) == []
    assert [cause for _, _, cause, _ in await ledger(loop)] == ["deal changed", "rules changed"]


async def test_a_correction_leaves_no_moment_without_the_deals_money(loop: Loop) -> None:
    await loop.take(WON)
    for event in JOURNEY:
        await loop.take(event)
    rows = await loop.database.fetch("SELECT recorded_at, superseded_at FROM entries ORDER BY version")
    assert len(rows) > 1
    assert [row["superseded_at"] for row in rows] == [*(row["recorded_at"] for row in rows[1:]), None]


async def test_a_clock_that_was_set_back_does_not_hold_up_the_ledger(loop: Loop) -> None:
    await loop.take(WON)
    async with loop.database.transaction() as connection:
        await connection.execute("SET LOCAL closedloop.rewrites_ledger = 'on'")
        await connection.execute("UPDATE entries SET recorded_at = recorded_at + interval '1 hour'")
    await loop.take(*JOURNEY)
    assert await credited(loop) == {"ad": 3_334, "search": 3_333, "mail": 3_333}
    rows = await loop.database.fetch("SELECT recorded_at, superseded_at FROM entries ORDER BY version")
    assert [row["superseded_at"] for row in rows] == [*(row["recorded_at"] for row in rows[1:]), None]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_visits_form_and_deal_may_come_in_any_order(loop: Loop, order: tuple[int, ...]) -> None:
    parts = [JOURNEY[:3], JOURNEY[3:], [WON]]
    await loop.take(*(event for place in order for event in parts[place]))
    assert await credited(loop) == {"ad": 3_334, "search": 3_333, "mail": 3_333}


async def test_a_form_long_after_the_deal_brings_the_touches_before_it(loop: Loop) -> None:
    await loop.take(*JOURNEY[:2], deal("7", "won", at(day=3), contacts=ANN), form("v", "form", at(day=30), "ann@x.org"))
    assert await credited(loop) == {"ad": 10_000}


async def test_a_deal_whose_contact_nobody_knows_is_unattributed_until_the_lead_appears(loop: Loop) -> None:
    await loop.take(deal("7", "won", at(day=10), provider="hubspot", contacts=[{"contact_id": 9}]))
    assert await credited(loop) == {None: 10_000}
    await loop.take(*JOURNEY)
    assert await credited(loop) == {None: 10_000}
    await loop.take(contact("c", at(day=2), "9", "ann@x.org", provider="hubspot"))
    assert await credited(loop) == {"ad": 3_334, "search": 3_333, "mail": 3_333}
    assert [cause for *_, cause in await ledger(loop)] == ["leads merged or split", None]


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        pytest.param(at("00:00", day=10), True, id="exactly the lookback before the deal"),
        pytest.param(at("00:00", day=10) - timedelta(microseconds=1), False, id="a microsecond earlier"),
        pytest.param(at("00:00", day=120), True, id="exactly at the close"),
        pytest.param(at("00:00", day=120) + timedelta(microseconds=1), False, id="a microsecond later"),
    ],
)
async def test_both_ends_of_the_window_are_inside(loop: Loop, moment: Any, counts: bool) -> None:
    dates = {"created_at": "2026-04-10T00:00:00Z", "closed_at": "2026-04-30T00:00:00Z"}
    await loop.take(
        page("v", "1", moment),
        form("v", "2", at(day=150), "ann@x.org"),
        deal("7", "d", at(day=121), contacts=ANN, **dates),
    )
    assert await credited(loop) == ({"1": 10_000} if counts else {None: 10_000})


async def test_a_deal_entered_after_its_close_looks_back_from_the_close(loop: Loop) -> None:
    dates = {"created_at": "2026-04-30T00:00:00Z", "closed_at": "2026-04-10T00:00:00Z"}
    await loop.take(
        page("v", "1", at(day=10)),
        form("v", "2", at(day=150), "ann@x.org"),
        deal("7", "d", at(day=121), contacts=ANN, **dates),
    )
    assert await credited(loop) == {"1": 10_000}


async def test_several_contacts_are_one_journey_with_each_visit_once(loop: Loop) -> None:
    people = [{"email": "ann@x.org"}, {"email": "ann@x.org", "contact_id": 9}, {"email": "ben@x.org"}]
    await loop.take(*JOURNEY, form("w", "ben", at(day=3), "ben@x.org"), deal("7", "won", at(day=10), contacts=people))
    assert await credited(loop) == {"ad": 2_500, "ben": 2_500, "search": 2_500, "mail": 2_500}


async def test_touches_at_one_instant_are_ordered_by_id_then_visitor(loop: Loop) -> None:
    forms = [form(visitor, touch, at(), "ann@x.org") for visitor, touch in (("w", "a"), ("v", "b"), ("v2", "a"))]
    await loop.take(*forms, WON)
    row = await loop.database.fetchrow("SELECT visitor_id, touch_id FROM entries WHERE superseded_at IS NULL")
    assert row is not None
    assert list(zip(row["touch_id"], row["visitor_id"], strict=True)) == [("a", "v2"), ("a", "w"), ("b", "v")]


async def test_a_visit_without_a_page_is_no_touch(loop: Loop) -> None:
    signed_in = {key: value for key, value in JOURNEY[3].items() if key != "url"}
    await loop.take(signed_in, WON)
    assert await credited(loop) == {None: 10_000}


VERSIONS = [
    deal("7", "v1", at(day=10), contacts=ANN),
    deal("7", "v2", at(day=11), contacts=ANN, amount="90.00"),
    deal("7", "v3", at(day=12), contacts=ANN, amount="80.00"),
]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_version_counts_whatever_came_last(loop: Loop, order: tuple[int, ...]) -> None:
    await loop.take(*JOURNEY, *(VERSIONS[place] for place in order))
    assert await credited(loop, model="last_touch") == {"ad": 0, "search": 0, "mail": 8_000}


async def test_of_versions_made_at_one_instant_the_greater_id_counts(loop: Loop) -> None:
    await loop.take(
        *(deal("7", name, at(day=10), amount=f"{amount}.00") for name, amount in (("a", 1), ("C", 2), ("b", 3)))
    )
    assert await credited(loop) == {None: 300}


async def test_won_lost_and_won_again_is_credited_once(loop: Loop) -> None:
    await loop.take(*JOURNEY, WON)
    await loop.take(deal("7", "lost", at(day=11), "lost", contacts=ANN))
    assert await credited(loop) is None
    await loop.take(deal("7", "again", at(day=12), contacts=ANN, closed_at="2026-01-10T00:00:00Z"))
    assert await credited(loop) == {"ad": 3_334, "search": 3_333, "mail": 3_333}
    assert [(amount, cause, end) for amount, _, cause, end in await ledger(loop)] == [
        (10_000, "deal changed", "deal changed"),
        (10_000, "deal changed", None),
    ]


@pytest.mark.parametrize("stage", ["open", "lost", "deleted"])
async def test_what_is_not_won_has_no_credits(loop: Loop, stage: str) -> None:
    await loop.take(*JOURNEY, deal("7", "d", at(day=10), stage, **({} if stage == "deleted" else {"contacts": ANN})))
    assert await ledger(loop) == []


async def test_the_ledger_keeps_what_stood_and_why_it_changed(loop: Loop) -> None:
    await loop.take(WON, *JOURNEY[2:])
    await loop.take(deal("7", "refund", at(day=12), contacts=ANN, amount="60.00", closed_at="2026-01-10T00:00:00Z"))
    await loop.take(page("v", "late", at(day=3), referrer=BING))
    await loop.take(form("w", "second device", at(day=4), "ann@home.org"))
    await loop.take(
        form("w", "link", at("00:01", day=4), "ann@x.org", user_id="42"),
        form("u", "link", at(day=5), "ann@home.org", user_id="42"),
    )
    history = await ledger(loop)
    assert [(amount, touches) for amount, touches, *_ in history[:4]] == [
        (10_000, [None]),
        (10_000, ["mail"]),
        (6_000, ["mail"]),
        (6_000, ["late", "mail"]),
    ]
    assert history[-1][:2] == (6_000, ["late", "second device", "link", "mail"])
    ends = [end for *_, end in history]
    assert ends[:3] == ["touch arrived", "deal changed", "touch arrived"]
    assert [cause for *_, cause, _ in history[1:]] == ends[:-1]
    assert "leads merged or split" in ends


async def test_what_changes_nothing_leaves_no_entry(loop: Loop) -> None:
    await loop.take(*JOURNEY, WON)
    before = await ledger(loop)
    await loop.take(*JOURNEY, WON, page("v", "again", at("00:10", day=9)), page("stranger", "1", at(day=2)))
    await loop.take({**WON, "event_id": "same again"}, form("w", "f", at(day=20), "ann@x.org"))
    assert await ledger(loop) == before


async def test_only_the_deals_concerned_are_credited_anew(loop: Loop) -> None:
    await loop.take(*JOURNEY, WON, form("w", "f", at(day=1), "ben@x.org"), deal("8", "b", at(day=10), contacts=BEN))
    early = deal("9", "c", at(day=6), contacts=ANN)
    await loop.take(early)
    await loop.take(page("v", "late", at(day=7), referrer=BING))
    assert [len(await ledger(loop, deal_id)) for deal_id in ("8", "9")] == [1, 1]
    assert await credited(loop) == {"ad": 2_500, "search": 2_500, "late": 2_500, "mail": 2_500}


SAME_ID = [
    deal("7", "one id", at(day=10), contacts=ANN),
    deal("8", "one id", at(day=11), contacts=ANN),
    deal("9", "one id", at(day=10), contacts=BEN),
]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_several_deals_under_one_event_id_one_is_there(loop: Loop, order: tuple[int, ...]) -> None:
    await loop.take(*(SAME_ID[place] for place in order))
    least = min(SAME_ID, key=lambda version: (version["occurred_at"], event_rank(version)))
    rows = await loop.database.fetch("SELECT deal_id FROM deals WHERE stage IS NOT NULL")
    assert [row["deal_id"] for row in rows] == [least["deal_id"]]
    current = await loop.database.fetch("SELECT deal_id FROM entries WHERE superseded_at IS NULL")
    assert [row["deal_id"] for row in current] == [least["deal_id"]]


async def test_a_deal_that_lost_its_only_version_comes_back_with_the_next(loop: Loop) -> None:
    await loop.take(SAME_ID[1], SAME_ID[0])
    assert await credited(loop, "8") is None
    await loop.take(deal("8", "its own", at(day=12), contacts=ANN))
    assert await credited(loop, "8") == {None: 10_000}


async def test_one_deal_id_at_two_crms_is_two_deals(loop: Loop) -> None:
    await loop.take(
        *(
            deal("7", "e", at(day=10), provider=name, amount=amount)
            for name, amount in (("hubspot", "1"), ("pipedrive", "2"))
        )
    )
    rows = await loop.database.fetch(
        "SELECT provider, amount FROM entries WHERE superseded_at IS NULL ORDER BY provider"
    )
    assert [tuple(row) for row in rows] == [("hubspot", 100), ("pipedrive", 200)]


async def test_a_batch_that_comes_again_after_a_crash_credits_once(loop: Loop) -> None:
    batch = [delivery(WON)]
    assert isinstance(batch[0].event, DealEvent)
    await loop.take(*JOURNEY)
    fact = fact_of(batch[0].event, batch[0].body, ID_KEY, RULES.zone)
    await attributor_store.add_deal_events(loop.database, [fact])
    with pytest.raises(Crash):
        await loop.attributor.handle(batch, crashes)
    assert await credited(loop) is None
    await loop.take(WON, WON)
    assert len(await ledger(loop)) == 1


async def test_a_touch_that_arrives_between_a_deals_facts_and_its_credits_is_not_lost(loop: Loop) -> None:
    [version] = [delivery(WON)]
    assert isinstance(version.event, DealEvent)
    await attributor_store.add_deal_events(loop.database, [fact_of(version.event, version.body, ID_KEY, RULES.zone)])
    await loop.take(*JOURNEY)
    assert await credited(loop) is None
    await loop.attributor.handle([version], commits)
    assert await credited(loop) == {"ad": 3_334, "search": 3_333, "mail": 3_333}


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "0001-01-02", "9999-12-30"])
async def test_a_crms_idea_of_no_date_is_a_date(loop: Loop, text: str) -> None:
    log = [
        *JOURNEY,
        deal("7", "won", at(day=10), contacts=ANN, closed_at=text),
        deal("8", "w", at(day=10), contacts=ANN, created_at=text),
    ]
    await loop.take(*log)
    await loop.take(*log, page("v", "late", at(day=3), referrer=BING))
    assert (
        differences(await present(loop.database), present_state([*log, page("v", "late", at(day=3), referrer=BING)]))
        == []
    )


async def test_hostile_names_are_stored_as_they_are(loop: Loop) -> None:
    names = ["NULL", "{a,b}", 'a"b\\c', "'; DROP TABLE deals; --", "\u2028\U0001f600", ""]
    log = [
        *(
            page("v", f"{number}", at(day=number), SITE + "?utm_source=x&utm_campaign=" + name.replace("&", "%26"))
            for number, name in enumerate(names, 1)
        ),
        form("v", "f", at(day=9), "ann@x.org"),
        deal("7\"',{}", "NULL", at(day=10), contacts=ANN, owner='{"NULL"}'),
    ]
    await loop.take(*log)
    assert differences(await present(loop.database), present_state(log)) == []


async def test_a_long_journey_is_credited_to_the_cent(loop: Loop) -> None:
    hits = [page("v", f"{number:04}", at() + timedelta(minutes=31 * number)) for number in range(999)]
    batch = [
        delivery(each)
        for each in [
            *hits,
            form("v", "f", at(day=30), "ann@x.org"),
            deal("7", "d", at(day=40), contacts=ANN, amount="0.07"),
        ]
    ]
    await loop.handle(batch)
    await loop.settle()
    amounts = await credited(loop)
    assert amounts is not None
    assert len(amounts) == 1_000
    assert list(amounts.values()) == [1] * 7 + [0] * 993
