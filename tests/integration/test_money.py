"""Spend and rates: the newest of each counts in any order, money is converted to the last unit, and a file is imported."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.money import EXPONENTS, parse_rate
from schemas.score import DEFAULT_SCORE
from services.local.import_rows import RATES, SPEND
from services.local.importing import import_file
from services.reports.questions import question_of
from services.reports.store import Store
from services.runtime.postgres import Database
from services.runtime.rules import Rules
from tests.builders import at, make_event
from tests.closing import Loop, differences, present
from tests.collecting import running_collector
from tests.conftest import make_settings
from tests.e2e.in_process import running_loop
from tests.reference import present_state
from tests.state_rows import MAIL, PAID, Deal, Visit, put_all
from tests.state_rows import at as moment_at

BERLIN = Rules(lookback_days=90, own_domains=(), timezone="Europe/Berlin")


def spend(event_id: str, moment: datetime, amount: str, **fields: Any) -> dict[str, Any]:
    said = {"date": "2026-03-02", "source": "google", "medium": "cpc", "campaign": "spring", "currency": "EUR"}
    return make_event("spend", event_id, moment, amount=amount, **{**said, **fields})


def rate(event_id: str, moment: datetime, worth: str, day: str = "2026-03-02", **pair: str) -> dict[str, Any]:
    return make_event("rate", event_id, moment, **{"date": day, "from": "USD", "to": "EUR", "rate": worth, **pair})


VERSIONS = [
    spend("s1", at(day=1), "10.00"),
    spend("s2", at(day=2), "20.00", source="Google", medium="CPC", currency="USD"),
    spend("s2", at(day=3), "30.00"),
    spend("s0", at(day=2), "40.00"),
]


async def test_spend_is_what_its_newest_event_says_whatever_the_order(loop: Loop) -> None:
    for number, order in enumerate(permutations(VERSIONS)):
        day = f"2026-04-{number + 1:02}"
        await loop.take(*({**each, "date": day, "event_id": f"{each['event_id']} {day}"} for each in order))
    rows = await loop.database.fetch("SELECT DISTINCT channel, source, medium, campaign, amount, currency FROM spend")
    assert [tuple(row) for row in rows] == [("Paid Search", "google", "cpc", "spring", 2000, "USD")]
    assert await loop.database.fetchval("SELECT count(*) FROM spend") == 24


LOG = [
    *VERSIONS,
    spend("gone", at(day=3), "9.00", campaign="x"),
    spend("gone again", at(day=4), "0", campaign="x"),
    spend("bare", at(day=1), "1.00", source=None, medium=None, campaign=None),
    spend("shared", at(day=2), "5.00", visitor_id="v"),
    make_event("pageview", "shared", at(day=1), visitor_id="v", url="https://shop.example/"),
    spend("named", at(day=2), "6.00", campaign="ann", email="ann@x.org"),
    make_event("touch", "named", at(day=1), email="ann@x.org", source="fair", medium="event"),
    spend("a robot's", at(day=5), "7.00", kept_apart="bot"),
    rate("r1", at(day=1), "0.9"),
    rate("r2", at(day=2), "0.95"),
    rate("r2", at(day=1, clock="12:00"), "150.250", to="JPY"),
    rate("r3", at(day=1), "3.2", day="2026-03-01", to="KWD"),
]


@pytest.mark.parametrize("seed", range(3))
async def test_money_is_a_function_of_the_set_of_events(loop: Loop, seed: int) -> None:
    random = Random(seed)
    log = random.sample(LOG, len(LOG))
    await loop.take(*log, *random.choices(LOG, k=5))
    expected = present_state(LOG)
    assert (len(expected["spend"]), len(expected["rates"])) == (2, 3)
    assert differences(await present(loop.database), expected) == []


async def test_credits_sum_to_the_converted_amount_at_any_rate(database: Database) -> None:
    random = Random(20260301)
    currencies = sorted(EXPONENTS)
    cases: list[tuple[list[int], Decimal]] = []
    for _ in range(500):
        worth = f"{random.randrange(10**5)}.{random.randrange(1, 10 ** random.choice((1, 4, 15))):0>1}"
        parts = [
            random.choice((0, 1, 5, random.randrange(10 ** random.choice((2, 6, 15)))))
            for _ in range(random.randint(1, 20))
        ]
        cases.append((parts, parse_rate(worth, *random.sample(currencies, 2))))
    cases += [([1] * 10, Decimal("0.5")), ([1, 2, 3], Decimal(1)), ([5], Decimal("0.5")), ([7], Decimal("0.5"))]
    for parts, factor in cases:
        row = await database.fetchrow("SELECT converted($1::bigint[], $2::numeric), converted(summed::numeric, $2)"
                                      " FROM (SELECT sum(a) AS summed FROM unnest($1::bigint[]) AS t (a)) AS s", parts, factor)  # fmt: skip
        assert row is not None
        exact = Fraction(factor)
        ends = [round(sum(parts[:place]) * exact) for place in range(len(parts) + 1)]
        assert list(map(int, row[0])) == [after - before for before, after in pairwise(ends)]
        assert sum(row[0]) == row[1] == round(sum(parts) * exact)
        assert min(row[0]) >= 0


async def test_a_rate_holds_from_its_day_on_and_for_its_pair_alone(loop: Loop) -> None:
    await loop.take(rate("a", at(), "0.9", "2026-03-01"), rate("b", at(), "0.8", "2026-03-10"))
    asked = [
        ("USD", "EUR", date(2026, 2, 28), None),
        ("USD", "EUR", date(2026, 3, 1), Decimal("0.9")),
        ("USD", "EUR", date(2026, 3, 9), Decimal("0.9")),
        ("USD", "EUR", date(2027, 1, 1), Decimal("0.8")),
        ("EUR", "USD", date(2026, 3, 1), None),
        ("USD", "GBP", date(2026, 3, 1), None),
        ("GBP", "GBP", date(1990, 1, 1), Decimal(1)),
    ]
    for held, wanted, day, factor in asked:
        assert await loop.database.fetchval("SELECT factor FROM conversion($1, $2, $3)", held, wanted, day) == factor


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-03-09 22:59", "Europe/Berlin", date(2026, 3, 9)),
        ("2026-03-09 23:00", "Europe/Berlin", date(2026, 3, 10)),
        ("9999-12-31 23:30", "Europe/Berlin", date(9999, 12, 31)),
        ("0001-01-01 00:30", "America/New_York", date(1, 1, 1)),
    ],
)
async def test_every_instant_has_a_day_within_the_years_1_to_9999(
    loop: Loop, moment: str, zone: str, day: date
) -> None:
    assert await loop.database.fetchval("SELECT day_of($1, $2)", moment_at(moment), zone) == day


async def test_money_and_visits_of_the_end_of_time_are_in_the_reports(loop: Loop) -> None:
    last = Visit("v9", "9999-12-31 23:30", PAID)
    await put_all(loop.database, last, Deal("D-9", closed=last.time, currency="USD", visits=(last,)), Deal("D-1"))
    store, question = Store(loop.database, BERLIN), question_of(currency="EUR")
    reports = [
        await store.revenue(question),
        await store.journeys.paths(question, BERLIN.zone, 9, collapse=False),
        await store.journeys.content(question, BERLIN.zone, 9),
        await store.journeys.owners(question, BERLIN.zone),
    ]
    assert [[each.day for each in report.missing_rates] for report in reports] == [["9999-12-31"]] * 4
    for cohort, begun in (("day", 31), ("week", 27), ("month", 1)):
        funnel = await store.journeys.funnel(question, BERLIN.zone, cohort, DEFAULT_SCORE, at())
        assert [row.cohort for row in funnel.cohorts] == [date(9999, 12, begun)]


FIRST, SECOND = Visit("v1", "2026-03-01 10:00", PAID), Visit("v1", "2026-03-05 10:00", MAIL)


async def ask(database: Database, **words: str) -> dict[str, Any]:
    report = await Store(database, BERLIN).revenue(question_of(**words))
    return report.model_dump(by_alias=True)


def figures(report: dict[str, Any], *names: str) -> dict[str, Sequence[Any]]:
    return {row["key"]: tuple(row[name] for name in names) for row in report["rows"]}


async def test_revenue_holds_what_was_won_against_what_it_cost(loop: Loop) -> None:
    database = loop.database
    await loop.take(
        spend("s1", at(), "30.00"),
        spend("s2", at(), "1000", campaign="autumn", currency="JPY"),
        spend("s3", at(), "5.00", source="x", medium="banner", date="2026-03-31"),
        spend("s4", at(), "8.00", source="x", medium="banner", date="2026-04-01"),
        spend("s5", at(), "4.00", source="y", medium="banner", currency="GBP"),
        rate("usd", at(), "0.9", "2026-03-10"),
        rate("jpy", at(), "0.0065", "2026-03-01", **{"from": "JPY"}),
    )
    await put_all(
        database, FIRST, SECOND,
        Deal("D-1", 10_000, owner="Rita", visits=(FIRST, SECOND)),
        Deal("D-2", 10_001, "2026-03-09 23:30", currency="USD", owner="Rita", visits=(FIRST, SECOND)),
        Deal("D-3", 500, "2026-03-09 22:30", currency="USD", visits=(FIRST,)),
        Deal("D-4", 999, "2026-03-08 22:30", currency="CHF", visits=(FIRST,)),
    )  # fmt: skip
    report = await ask(database, since="2026-03-01", until="2026-04-01", currency="EUR")
    assert figures(report, "amount", "deals", "spend", "roas", "cac") == {
        "Paid Search": ("95.01", 1.0, "36.50", 2.603, "36.50"),
        "Email": ("95.00", 1.0, None, None, None),
        "Display": ("0.00", 0.0, "5.00", 0.0, None),
    }
    assert (report["total"], report["totals"]["spend"], report["totals"]["cac"]) == ("190.01", "41.50", "20.75")
    assert report["missing_rates"] == [
        {"from": "CHF", "to": "EUR", "deals": 1, "amount": "9.99", "spend": "0.00", "day": "2026-03-08"},
        {"from": "USD", "to": "EUR", "deals": 1, "amount": "5.00", "spend": "0.00", "day": "2026-03-09"},
        {"from": "GBP", "to": "EUR", "deals": 0, "amount": "0.00", "spend": "4.00", "day": "2026-03-02"},
    ]
    by_campaign = figures(await ask(database, by="campaign", currency="EUR"), "spend")
    assert by_campaign == {"spring": ("43.00",), "march": (None,), "autumn": ("6.50",)}
    by_owner = await ask(database, by="owner", currency="EUR")
    assert figures(by_owner, "amount", "deals", "spend") == {"Rita": ("190.01", 2.0, None)}
    assert {each["from"] for each in by_owner["missing_rates"]} == {"CHF", "USD"}
    assert (await ask(database, by="landing_page", currency="EUR"))["totals"]["spend"] is None
    in_yen = await ask(database, currency="JPY")
    assert (in_yen["total"], in_yen["totals"]["spend"]) == ("0", "1000")


async def test_without_a_deal_the_currency_of_most_spend_is_reported(loop: Loop) -> None:
    assert (await ask(loop.database))["currency"] is None
    await loop.take(
        spend("a", at(), "1", currency="USD"), spend("b", at(), "1", source="x"), spend("c", at(), "1", source="y")
    )
    assert (await ask(loop.database))["currency"] == "EUR"


SPEND_FILE = """\
date;source;medium;campaign;amount;currency
2026-03-02;fb;cpc;spring;10.00;EUR
2026-03-02;facebook;cpc;spring;2.50;EUR
2026-03-02;google;cpc;;12,50;EUR
2026-03-02;google;cpc;;7.00;USD
"""


async def test_a_file_is_imported_with_its_wrong_rows_named_and_again_without_effect(
    dsn: str, database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(dsn, tmp_path)
    spent, rates = tmp_path / "spend.csv", tmp_path / "rates.csv"
    spent.write_text(SPEND_FILE)
    rates.write_text("date,from,to,rate\n2026-03-01,USD,EUR,0.9\n")
    async with running_collector(settings) as collector, running_loop(settings) as loop:

        async def run(kind: Any, file: Path) -> int:
            reached = settings.model_copy(update={"port": int(collector.url.rpartition(":")[2])})
            return await asyncio.to_thread(import_file, reached, kind, str(file))

        assert [await run(SPEND, spent), await run(RATES, rates)] == [1, 0]
        told = capfd.readouterr()
        assert told.err.strip() == f"{spent}, line 4: invalid_amount: amount: is no decimal number such as 1234.50"
        assert told.out.splitlines() == [
            "spend: 4 rows read, 3 imported, added up to 2; 1 refused",
            "rates: 1 rows read, 1 imported; 0 refused",
        ]
        await loop.settle()
        before = await loop.digest()
        report = await Store(database, BERLIN).revenue(question_of(by="source"))
        assert {row.key: row.spend for row in report.rows} == {"facebook": "12.50", "google": "6.30"}
        await run(SPEND, spent)
        await loop.settle()
        assert await loop.digest() == before
        stamps = await database.fetch("SELECT occurred_at FROM statements WHERE type = 'spend'")
        assert len({row[0] for row in stamps}) == 2, "one time for each import"
