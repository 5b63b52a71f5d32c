"""Receipts on a real ledger: what moved between two instants, and that it adds up to the difference of the two reports."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import httpx
import pytest

from schemas.credit import MODELS
from schemas.instant import LAST
from services.reports.app import create_app
from services.reports.questions import DIMENSIONS, Question
from services.reports.receipt_answers import Receipts
from services.reports.receipts import Span
from services.reports.receipts_page import receipts_page
from services.reports.store import Store
from services.runtime.postgres import Database, connect
from tests.builders import GOOGLE_AD, NEWSLETTER, RULES, at, deal, delivery, form, make_event, page
from tests.closing import Loop, play
from tests.conftest import fresh_database, make_settings
from tests.histories import make_history
from tests.rewriting import REWRITES_LEDGER

SEED = 5
ALL = 1000
BREATH = timedelta(microseconds=1)
INSTANTS = (
    "SELECT recorded_at AS at FROM entries UNION SELECT superseded_at FROM entries WHERE superseded_at IS NOT NULL"
)
RATES = [
    make_event("rate", f"{pair} {day}", at(), date=day, rate=worth, **{"from": pair[:3], "to": pair[3:]})
    for pair, day, worth in (
        ("JPYEUR", "2025-01-01", "0.0061728"),
        ("JPYEUR", "2026-01-05", "0.0071"),
        ("EURJPY", "2026-02-01", "157.333"),  # none before: such money is in no report in yen
    )
]
MODELS_YOUNGER_THAN_ENTRIES = f"""
    DELETE FROM credits c USING entries e
    WHERE (e.provider, e.deal_id, e.version) = (c.provider, c.deal_id, c.version) AND superseded_at IS NOT NULL
        AND model <> 'linear' AND hashtext(concat_ws(' ', {SEED}, c.deal_id, c.version, model)) % 5 = 0"""
ANN = {"contacts": [{"email": "ann@x.org"}], "closed_at": "2026-01-10T00:00:00Z"}


@pytest.fixture(scope="module")
def moved_dsn(postgres_dsn: str, migrated_template: str) -> Iterator[str]:
    """A database whose ledger was corrected many times over, in an order that the seed decides."""
    print(f"seed {SEED}")
    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        asyncio.run(_correct_many_times(dsn, Random(SEED)))
        yield dsn


async def _correct_many_times(dsn: str, random: Random) -> None:
    events = [
        {**event, "currency": random.choice(["EUR", "EUR", "JPY"]), "amount": f"{random.randint(0, 999)}"}
        | random.choice([{}, {"owner": "Rita"}, {"owner": "Bo"}])
        if event["type"] == "deal" and event["stage"] != "deleted"
        else event
        for event in make_history(random, 220)
    ]
    async with connect(dsn, application="loop", size=6) as database:
        await play(Loop(database), [delivery(event) for event in (*RATES, *events)], random, longest=(3,))
        await database.execute(REWRITES_LEDGER + MODELS_YOUNGER_THAN_ENTRIES)


@pytest.fixture
async def moved(moved_dsn: str) -> AsyncIterator[Database]:
    async with connect(moved_dsn, application="reports", read_only=True) as database:
        yield database


def questions(random: Random) -> list[Question]:
    """Every model by one dimension, and every dimension under one model; of all time, and of days that deals leave."""
    asked = [(model, random.choice(DIMENSIONS)) for model in MODELS]
    asked += [(random.choice(MODELS), by) for by in DIMENSIONS]
    periods = [(None, None), (date(2026, 1, 1), date(2026, 1, 12)), (date(2026, 1, 5), None)]
    return [
        Question(model, by, *random.choice(periods), currency=random.choice(["EUR", "EUR", "JPY"]))
        for model, by in asked
    ]


Money = dict[str, Decimal]
"""By key; under '' the total."""


async def report(store: Store, question: Question, as_of: datetime) -> Money:
    answer = await store.revenue(replace(question, as_of=as_of))
    return {row.key: Decimal(row.amount) for row in answer.rows} | {"": Decimal(answer.total)}


def difference(before: Money, after: Money) -> Money:
    """What moved; without keys that did not."""
    moved = {key: after.get(key, Decimal(0)) - before.get(key, Decimal(0)) for key in before.keys() | after.keys()}
    return {key: amount for key, amount in moved.items() if amount}


def added_up(receipts: Receipts) -> Money:
    """What moved, from the lines themselves."""
    told: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in receipts.receipts:
        told[""] += Decimal(line.difference)
        for moved in line.moved:
            told[moved.key] += Decimal(moved.difference)
    return {key: amount for key, amount in told.items() if amount}


async def test_receipts_between_any_two_instants_sum_to_the_difference_of_the_two_reports(moved: Database) -> None:
    random = Random(SEED)
    store = Store(moved, RULES)
    corrected = [row["at"] for row in await moved.fetch(INSTANTS)]
    assert len(corrected) > 20, "a ledger that hardly moved shows nothing"
    breaths = [at + breath for at in corrected for breath in (-BREATH, BREATH * 0, BREATH)]
    lines = 0
    for question in questions(random) * 3:
        since, until = sorted([random.choice(corrected), random.choice(breaths)])
        receipts = await store.receipts(question, Span(since, until), ALL)
        before, after = await report(store, question, since), await report(store, question, until)
        assert added_up(receipts) == difference(before, after), (question, since, until)
        told = {moved.key: Decimal(moved.difference) for moved in receipts.keys}
        assert told == {key: each for key, each in difference(before, after).items() if key}
        assert [Decimal(each) for each in (receipts.before, receipts.after)] == [before[""], after[""]]
        assert sum(Decimal(cause.difference) for cause in receipts.causes) == Decimal(receipts.difference)
        assert sum(cause.corrections for cause in receipts.causes) == len(receipts.receipts)
        lines += len(receipts.receipts)
    assert lines > 50


async def test_a_short_list_leaves_out_the_smallest_and_still_sums_over_all(moved: Database) -> None:
    store, question, ever = Store(moved, RULES), Question(currency="EUR"), Span(at(), LAST)
    whole, short = await store.receipts(question, ever, ALL), await store.receipts(question, ever, 3)
    assert short.receipts == whole.receipts[:3]
    assert short.left_out == len(whole.receipts) - 3
    assert short.model_dump(exclude={"receipts", "left_out"}) == whole.model_dump(exclude={"receipts", "left_out"})
    movements = [sum(abs(Decimal(each.difference)) for each in line.moved) for line in whole.receipts]
    assert movements == sorted(movements, reverse=True)


async def test_at_each_instant_of_a_correction_a_deal_counts_once_or_is_not_won(moved: Database) -> None:
    twice = """
        SELECT count(*) FROM (SELECT DISTINCT at FROM (SELECT recorded_at AS at FROM entries
                              UNION SELECT superseded_at FROM entries) AS known WHERE at IS NOT NULL) AS instant
        CROSS JOIN LATERAL (
            SELECT FROM entries WHERE recorded_at <= at AND coalesce(superseded_at, 'infinity') > at
            GROUP BY provider, deal_id HAVING count(*) > 1) AS doubled"""
    assert await moved.fetchval(twice) == 0
    gap = """
        SELECT count(*) FROM entries AS o JOIN entries AS n USING (provider, deal_id)
        WHERE n.version = o.version + 1 AND (n.recorded_at < o.superseded_at OR o.superseded_at IS NULL
            OR n.recorded_at > o.superseded_at AND o.superseded_cause <> 'deal changed')"""
    assert await moved.fetchval(gap) == 0


async def test_a_deal_corrected_three_times_has_three_receipts_with_their_causes(loop: Loop) -> None:
    await loop.take(page("v", "ad", at(day=1), GOOGLE_AD), form("v", "form", at("00:05"), "ann@x.org"))
    await loop.take(deal("7", "won", at(day=10), **ANN))
    since = await loop.database.fetchval("SELECT clock_timestamp()")
    await loop.take(page("v", "mail", at(day=5), NEWSLETTER))
    await loop.take(deal("7", "refund", at(day=11), amount="60.00", **ANN))
    await loop.take(deal("7", "lost", at(day=12), "lost", **ANN))
    receipts = await Store(loop.database, RULES).receipts(Question(), Span(since, None), ALL)
    told = [
        (line.cause, line.deal, line.before, line.after, line.difference, [(m.key, m.difference) for m in line.moved])
        for line in sorted(receipts.receipts, key=lambda line: line.at)
    ]
    assert told == [
        ("touch arrived", "webhook:7", "100.00", "100.00", "0.00", [("Email", "50.00"), ("Paid Search", "-50.00")]),
        ("deal changed", "webhook:7", "100.00", "60.00", "-40.00", [("Email", "-20.00"), ("Paid Search", "-20.00")]),
        ("deal changed", "webhook:7", "60.00", "0.00", "-60.00", [("Email", "-30.00"), ("Paid Search", "-30.00")]),
    ]
    assert (receipts.currency, receipts.before, receipts.after, receipts.difference) == (
        "EUR",
        "100.00",
        "0.00",
        "-100.00",
    )
    assert [(each.cause, each.corrections, each.difference) for each in receipts.causes] == [
        ("deal changed", 2, "-100.00"),
        ("touch arrived", 1, "0.00"),
    ]
    assert [(each.key, each.difference) for each in receipts.keys] == [("Paid Search", "-100.00")]


async def test_a_deal_that_leaves_the_period_or_the_currency_takes_its_money_along(loop: Loop) -> None:
    await loop.take(deal("7", "won", at(day=10), **ANN), deal("8", "other", at(day=10), **ANN))
    since = await loop.database.fetchval("SELECT clock_timestamp()")
    await loop.take(deal("7", "moved", at(day=11), contacts=ANN["contacts"], closed_at="2026-02-10T00:00:00Z"))
    await loop.take(deal("8", "yen", at(day=11), amount="5000", currency="JPY", **ANN))
    store = Store(loop.database, RULES)
    january = Question(since=date(2026, 1, 1), until=date(2026, 2, 1), currency="EUR")
    out = await store.receipts(january, Span(since, None), ALL)
    assert [(line.deal, line.before, line.after) for line in out.receipts] == [
        ("webhook:7", "100.00", "0.00"),
        ("webhook:8", "100.00", "0.00"),
    ]
    assert [(each.from_, each.to, each.corrections) for each in out.missing_rates] == [("JPY", "EUR", 1)]
    yen = await store.receipts(Question(currency="JPY"), Span(since, None), ALL)
    assert [(line.deal, line.before, line.after, line.difference) for line in yen.receipts] == [
        ("webhook:8", "0", "5000", "5000")
    ]


async def test_a_correction_that_is_under_way_is_in_the_next_receipts(loop: Loop) -> None:
    await loop.take(deal("7", "won", at(day=10), **ANN))
    store, ever = Store(loop.database, RULES), Span(at(), None)
    async with loop.database.transaction() as connection:
        await connection.execute(
            "UPDATE entries SET superseded_at = clock_timestamp(), superseded_cause = 'deal changed'"
        )
        first = await store.receipts(Question(), ever, ALL)
    then = await store.receipts(Question(), Span(first.until, None), ALL)
    assert [(line.before, line.after) for line in (*first.receipts, *then.receipts)] == [
        ("0.00", "100.00"),
        ("100.00", "0.00"),
    ]


async def test_nothing_moved_is_an_empty_answer(loop: Loop) -> None:
    receipts = await Store(loop.database, RULES).receipts(Question(), Span(at(), None), ALL)
    assert (receipts.currency, receipts.difference, receipts.receipts, receipts.left_out) == (None, "0.00", [], 0)


@pytest.fixture
async def client(moved: Database, moved_dsn: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = make_settings(moved_dsn, tmp_path)
    headers = {"authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
    transport = httpx.ASGITransport(create_app(Store(moved, RULES), [], settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://reports", headers=headers) as client:
        yield client


async def test_the_address_answers_what_moved_as_decimal_strings(client: httpx.AsyncClient) -> None:
    words = {"since": "2026-01-01T00:00:00Z", "by": "source", "currency": "JPY", "from": "2026-01-05", "limit": 1}
    answer = (await client.get("/api/v1/receipts", params=words)).json()
    assert set(answer) == {
        *("since", "until", "model", "by", "from", "to", "currency", "before", "after", "difference"),
        *("causes", "keys", "receipts", "missing_rates", "left_out"),
    }
    assert (answer["from"], answer["to"], answer["before"]) == ("2026-01-05", None, "0")
    assert set(answer["receipts"][0]) == {"at", "cause", "deal", "model", "before", "after", "difference", "moved"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({}, "missing_since"),
        ({"since": "yesterday"}, "invalid_since"),
        ({"since": "2026-01-01T00:00:00Z", "until": "now"}, "invalid_until"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "invalid_span"),
        ({"since": "2026-01-01T00:00:00Z", "model": "markov"}, "unknown_model"),
        ({"since": "2026-01-01T00:00:00Z", "by": "weather"}, "unknown_dimension"),
        ({"since": "2026-01-01T00:00:00Z", "currency": "XXX"}, "unknown_currency"),
        ({"since": "2026-01-01T00:00:00Z", "limit": "0"}, "invalid_parameter"),
    ],
)
async def test_a_question_that_has_no_answer_is_refused(
    client: httpx.AsyncClient, words: dict[str, str], code: str
) -> None:
    assert (await client.get("/api/v1/receipts", params=words)).json()["code"] == code


async def test_a_deal_is_explained_at_its_address(client: httpx.AsyncClient) -> None:
    (deal_id,) = {row["id"] for row in (await client.get("/api/v1/deals", params={"limit": 1})).json()["deals"]}
    answer = (await client.get(f"/api/v1/deals/{deal_id}/explain", params={"all_models": "true"})).json()
    assert answer["id"] == deal_id
    assert {split["model"] for split in answer["splits"]} in ({*MODELS}, set())
    refused = await client.get("/api/v1/deals/none/explain", params={"model": "linear"})
    assert (refused.status_code, refused.json()["code"]) == (404, "deal_not_found")


def test_the_page_names_causes_keys_and_the_deals_that_moved_most(moved_dsn: str) -> None:
    async def page_text() -> str:
        async with connect(moved_dsn, application="command", read_only=True) as database:
            return receipts_page(await Store(database, RULES).receipts(Question(currency="JPY"), Span(at(), None), 2))

    text = asyncio.run(page_text())
    assert "What moved in linear revenue by channel" in text
    assert "more corrections are in the sums above" in text
    assert "touch arrived" in text
    assert "`closedloop import rates` a rate from EUR to JPY" in text
