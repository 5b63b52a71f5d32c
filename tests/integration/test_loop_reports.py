"""The reports on whole journeys, against a plain recomputation from the events: what a reader of the log would count.

One shop of chance fills the database for all tests; `SEED=7 make test ARGS="tests/integration/test_loop_reports.py"`
draws the same again.
"""

import asyncio
import os
from collections import Counter, defaultdict
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from random import Random
from statistics import mean, median
from typing import NamedTuple
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest

from schemas.deal import Stage
from schemas.identifier import identifier_id
from schemas.money import decimal_text
from schemas.score import ScorePart, ScoreRules
from services.local.attribute import attribute
from services.reports.app import create_app
from services.reports.content import compared
from services.reports.journeys import DAYS, TOUCHES, labels_of
from services.reports.stages import STAGES
from services.reports.store import Store
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from tests.builders import ID_KEY, JANUARY, delivery
from tests.chance_shop import DAY, null_journeys, some_shop, truth_of
from tests.closing import Loop
from tests.conftest import fresh_database, make_settings
from tests.reference.models import divided, shares_of

SEED = int(os.environ.get("SEED", "5"))
BERLIN = ZoneInfo("Europe/Berlin")
NOW = JANUARY + 120 * DAY
PERIODS = [(None, None), ("2026-01-15", "2026-02-10"), ("2026-03-01", "2026-03-01")]
PLACES = {"channel": 0, "source": 1, "medium": 2, "campaign": 3}
SCORE = ScoreRules(
    threshold=30,
    parts={
        "forms": ScorePart(counts="form", points=20, at_most=40, half_life_days=20),
        "prices": ScorePart(counts="pageview", path="/prices", points=5, at_most=15),
        "visits": ScorePart(counts="visit", points=3, at_most=12),
    },
)


@pytest.fixture(scope="module")
def events():
    print(f"SEED={SEED}")
    return some_shop(Random(SEED))


@pytest.fixture(scope="module")
def truth(events):
    return truth_of(events)


@pytest.fixture(scope="module")
def filled_dsn(postgres_dsn, migrated_template, events):
    async def fill(dsn):
        async with connect(dsn, application="fill") as database:
            loop = Loop(database)
            await loop.handle([delivery(event) for event in events])
            await loop.settle()

    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        asyncio.run(fill(dsn))
        yield dsn


@asynccontextmanager
async def reports(dsn, tmp_path):
    settings = make_settings(dsn, tmp_path, score=SCORE, timezone="Europe/Berlin")
    async with connect(dsn, application="reports", read_only=True, scans=True) as database:
        app = create_app(Store(database, rules_of(settings)), [], settings, now=lambda: NOW)
        token = settings.admin_token.get_secret_value()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://reports", headers={"authorization": f"Bearer {token}"}
        ) as client:
            yield client


@pytest.fixture
async def client(filled_dsn, tmp_path):
    async with reports(filled_dsn, tmp_path) as client:
        yield client


async def get(client, path, period=(None, None), **query):
    days = {name: day for name, day in zip(("from", "to"), period, strict=True) if day}
    answer = await client.get(f"/api/v1/{path}", params=days | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def within(moment, period):
    day = moment.astimezone(BERLIN).date().isoformat()
    return (period[0] is None or period[0] <= day) and (period[1] is None or day < period[1])


def key_of(touch, by):
    return touch.source[PLACES[by]] or "(not set)"


def euros(deal):
    """Cents of a deal by the rates that were told; None without a rate."""
    return {"EUR": deal.amount, "GBP": round(deal.amount * Fraction(5, 4))}.get(deal.currency)


def euro_text(cents):
    return decimal_text(cents, "EUR")


def won_in(truth, period):
    return [journey for journey in truth.won if within(journey.deal.closed_at, period)]


def lost_in(truth, period):
    return null_journeys(truth, [touch for touch in truth.touches if within(touch.occurred_at, period)])


def collapsed(keys):
    return [key for place, key in enumerate(keys) if place == 0 or keys[place - 1] != key]


def days_of(journey):
    return (journey.deal.closed_at - journey.touches[0].occurred_at) / DAY


def expected_paths(truth, period, by, *, collapse):
    """By path: deals, cents, null journeys, touches and days of each deal's journey."""
    paths = defaultdict(lambda: [0, 0, 0, [], []])
    fold = collapsed if collapse else list
    for journey in won_in(truth, period):
        if euros(journey.deal) is not None:
            told = [key_of(touch, by) for touch in journey.touches] or ["Unattributed"]
            path = paths[tuple(fold(told))]
            path[0] += 1
            path[1] += euros(journey.deal)
            if journey.touches:
                path[3].append(len(journey.touches))
                path[4].append(days_of(journey))
    for touches in lost_in(truth, period):
        paths[tuple(fold([key_of(touch, by) for touch in touches]))][2] += 1
    return paths


def figures(deals, cents, nulls, touches, days):
    return {
        "deals": deals, "amount": euro_text(cents), "nulls": nulls,
        "touches": about(mean, touches), "days": about(mean, days),
    }  # fmt: skip


def about(average, values):
    """What an answer rounds to two decimals; of nothing there is no average."""
    return pytest.approx(average(values), abs=0.006) if values else None


@pytest.mark.parametrize(
    ("period", "by", "collapse"),
    [(PERIODS[0], "channel", False), (PERIODS[1], "source", True), (PERIODS[1], "campaign", False)],
)
async def test_paths_are_those_of_the_won_deals_with_their_money_and_their_null_journeys(
    client, truth, period, by, collapse
):
    report = await get(client, "paths", period, by=by, collapse=collapse, limit=1000, currency="EUR")
    paths = expected_paths(truth, period, by, collapse=collapse)
    winning = {path: found for path, found in paths.items() if found[0]}
    assert {tuple(row["keys"]): row for row in report["rows"]} == {
        path: {"path": " > ".join(path), "keys": list(path), **figures(*found)} for path, found in winning.items()
    }
    order = [(-row["deals"], -float(row["amount"])) for row in report["rows"]]
    assert order == sorted(order)
    whole = [sum(found[place] for found in paths.values()) for place in range(3)]
    assert report["total"] == figures(
        *whole, *([each for found in paths.values() for each in found[place]] for place in (3, 4))
    )
    assert report["missing_rates"][0]["from"] == "USD"


async def test_the_lengths_of_won_journeys_are_counted_in_buckets(client, truth):
    report = await get(client, "paths", currency="EUR")
    expected = Counter(
        max(start for start in TOUCHES if start <= len(journey.touches))
        for journey in truth.won
        if journey.touches and euros(journey.deal) is not None
    )
    assert [row["deals"] for row in report["lengths"]] == [expected[start] for start in TOUCHES]
    assert sum(Decimal(row["amount"]) for row in report["lengths"]) * 100 == sum(
        euros(journey.deal) or 0 for journey in truth.won if journey.touches
    )


async def test_without_a_currency_that_of_most_won_deals_is_reported(client, truth):
    report = await get(client, "paths")
    deals = Counter(journey.deal.currency for journey in truth.won)
    assert report["currency"] == min(deals, key=lambda currency: (-deals[currency], currency))


async def test_a_limit_shows_the_first_paths_and_leaves_the_total(client):
    whole, two = await get(client, "paths", limit=1000), await get(client, "paths", limit=2)
    assert two["rows"] == whole["rows"][:2]
    assert two["total"] == whole["total"]


@pytest.mark.parametrize("by", ["channel", "campaign"])
async def test_the_csv_of_paths_is_what_the_attribute_command_reads(client, truth, tmp_path, capsys, by):
    answer = await client.get("/api/v1/paths", params={"format": "csv", "by": by, "currency": "EUR"})
    assert answer.headers["content-type"].startswith("text/csv")
    (tmp_path / "paths.csv").write_bytes(answer.content)
    attribute(str(tmp_path / "paths.csv"), "linear", with_intervals=False)
    credited = {row["channel"]: row for row in orjson.loads(capsys.readouterr().out)["credits"]}
    paths = expected_paths(truth, (None, None), by, collapse=False)
    assert paths.pop(("Unattributed",))[0] > 0, "deals of which no touch is known took no path"
    names = {key.replace(">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}") for path in paths for key in path}
    assert set(credited) == names
    assert sum(row["conversions"] for row in credited.values()) == pytest.approx(
        sum(each[0] for each in paths.values())
    )
    assert sum(row["value"] for row in credited.values()) == pytest.approx(
        sum(each[1] for each in paths.values()) / 100
    )
    lines = answer.text.splitlines()
    assert lines[0] == "path;conversions;value;nulls"
    assert sum(int(line.rpartition(";")[2]) for line in lines[1:]) == len(lost_in(truth, (None, None)))


@pytest.mark.parametrize("model", ["markov", "shapley"])
async def test_models_of_the_period_earn_in_revenue_what_the_command_finds_in_the_csv(client, tmp_path, capsys, model):
    answer = await client.get("/api/v1/paths", params={"format": "csv", "currency": "EUR"})
    (tmp_path / "paths.csv").write_bytes(answer.content)
    attribute(str(tmp_path / "paths.csv"), model, with_intervals=False)
    told = {row["channel"]: row for row in orjson.loads(capsys.readouterr().out)["credits"]}
    report = await get(client, "revenue", model=model, currency="EUR")
    linear = await get(client, "revenue", model="linear", currency="EUR")
    assert report["total"] == linear["total"]
    for row in report["rows"]:
        if row["key"] != "Unattributed":
            assert float(row["amount"]) == pytest.approx(told.get(row["key"], {"value": 0})["value"], abs=0.011)
            assert row["deals"] == pytest.approx(told.get(row["key"], {"conversions": 0})["conversions"], abs=1e-5)


@pytest.mark.parametrize(("period", "by"), [(PERIODS[0], "source"), (PERIODS[1], "channel")])
async def test_time_to_purchase_runs_from_the_first_credited_touch_to_the_close(client, truth, period, by):
    report = await get(client, "time-to-purchase", period, by=by)
    days = defaultdict(list)
    for journey in won_in(truth, period):
        if journey.touches:
            days[key_of(journey.touches[0], by)].append(days_of(journey))
    assert {row["key"]: row["deals"] for row in report["rows"]} == {key: len(each) for key, each in days.items()}
    everything = [lasted for each in days.values() for lasted in each]
    for row, each in [(report["total"], everything), *((row, days[row["key"]]) for row in report["rows"])]:
        assert (row["median"], row["mean"]) == (about(median, each), about(mean, each))
        assert row["median"] <= row["p75"] <= row["p90"] <= round(max(each), 2)
        buckets = Counter(max(start for start in DAYS if start <= lasted) for lasted in each)
        assert [bucket["deals"] for bucket in row["distribution"]] == [buckets[start] for start in DAYS]
    assert [bucket["days"] for bucket in report["total"]["distribution"]] == labels_of(DAYS)
    assert report["unattributed"] == sum(not journey.touches for journey in won_in(truth, period))


def seen_in(truth, touches):
    """The pages and downloads of a journey's visits."""
    of_touch = {(visit.hits[0].visitor_id, visit.hits[0].event_id): visit for visit in truth.visits}
    seen = set()
    for touch in touches:
        visit = of_touch.get((touch.visitor_id, touch.touch_id))
        for hit in visit.hits if visit else ():
            url = hit.url and hit.url.partition("#")[0].partition("?")[0]
            if hit.type == "download":
                seen.add(("download", (hit.name or "").strip() or url))
            elif url:
                seen.add(("page", url))
    return seen


@pytest.mark.parametrize("period", PERIODS[:2])
async def test_content_compares_the_journeys_that_saw_a_page_with_those_that_did_not(client, truth, period):
    report = await get(client, "content", period, limit=1000, currency="EUR")
    journeys = [
        (True, euros(journey.deal) or 0, journey.touches) for journey in won_in(truth, period) if journey.touches
    ]
    journeys += [(False, 0, touches) for touches in lost_in(truth, period)]
    found = defaultdict(lambda: [0, 0, 0])
    for won, cents, touches in journeys:
        for one in seen_in(truth, touches):
            found[one] = [found[one][0] + 1, found[one][1] + won, found[one][2] + cents]
    all_won = sum(won for won, _, _ in journeys)
    assert (report["journeys"], report["won"]) == (len(journeys), all_won)
    assert {(row["kind"], row["page"]): row for row in report["rows"]} == {
        (kind, name): {
            "page": name, "kind": kind, "amount": euro_text(cents),
            **compared(with_it, won, len(journeys), all_won),
        }
        for (kind, name), (with_it, won, cents) in found.items() if won
    }  # fmt: skip


def credited_euros(journey):
    """Cents of a won deal by channel, each touch with an equal share. A rate turns what is credited up to each touch."""
    factor = {"EUR": Fraction(1), "GBP": Fraction(5, 4)}.get(journey.deal.currency, Fraction(0))
    if not journey.touches:
        return {"Unattributed": round(journey.deal.amount * factor)}
    through = [0, *accumulate(divided(journey.deal.amount, shares_of("linear", journey)))]
    found = Counter()
    for touch, (before, behind) in zip(journey.touches, pairwise(through), strict=True):
        found[key_of(touch, "channel")] += round(behind * factor) - round(before * factor)
    return found


def counts_for_owner(deal, period):
    """A deal that ended in the period, or is open and began before its end."""
    if deal.stage is Stage.open:
        return within(deal.created_at or deal.updated_at, (None, period[1]))
    return deal.stage is not Stage.deleted and within(deal.closed_at or deal.updated_at, period)


@pytest.mark.parametrize("period", PERIODS[:2])
async def test_owners_have_leads_deals_money_speed_and_the_sources_of_the_money(client, truth, period):
    report = await get(client, "owners", period, model="linear", currency="EUR")
    deals, money = defaultdict(list), defaultdict(Counter)
    for deal in truth.deals:
        if counts_for_owner(deal, period):
            deals[deal.owner or "(not set)"].append(deal)
    for journey in won_in(truth, period):
        money[journey.deal.owner or "(not set)"].update(credited_euros(journey))
    assert {row["owner"] for row in report["rows"]} == set(deals)
    whole = ("all", [deal for each in deals.values() for deal in each], sum(money.values(), Counter()))
    for row, (owner, own, earned) in [
        (report["total"], whole),
        *((row, (row["owner"], deals[row["owner"]], money[row["owner"]])) for row in report["rows"]),
    ]:
        stages = Counter(deal.stage for deal in own)
        won, lost = stages[Stage.won], stages[Stage.lost]
        timed = [deal for deal in own if deal.stage is Stage.won and deal.created_at < deal.closed_at]
        assert (owner, row["open"], row["won"], row["lost"]) == (owner, stages[Stage.open], won, lost)
        assert row["leads"] == len({truth.people.lead[name] for deal in own for name in deal.contacts})
        assert row["win_rate"] == (pytest.approx(won / (won + lost), abs=1e-4) if won + lost else None)
        assert row["median_days"] == about(median, [(deal.closed_at - deal.created_at) / DAY for deal in timed])
        assert row["amount"] == euro_text(earned.total())
        assert {part["channel"]: part["amount"] for part in row["sources"]} == {
            channel: euro_text(part) for channel, part in earned.items() if part
        }


class Arrived(NamedTuple):
    """A visitor's first visit with a page."""

    at: datetime
    source: tuple
    owner: object


def arrivals(truth, period):
    first = {}
    for visit in truth.visits:
        if any(hit.url is not None for hit in visit.hits):
            hit = visit.hits[0]
            first.setdefault(hit.visitor_id, Arrived(hit.occurred_at, visit.source, visit.owner))
    return [each for each in first.values() if within(each.at, period)]


async def stages_of_leads(client, truth):
    """By lead what its own record says: when it came to each stage."""
    told = {}
    for lead in set(truth.people.lead.values()):
        record = await get(client, f"leads/{identifier_id(min(lead), ID_KEY)}")
        told[lead] = {stage["stage"]: datetime.fromisoformat(stage["at"]) for stage in record["stages"]}
    return told


def funnel_figures(arrived, told):
    leads = {}
    for each in arrived:
        if each.owner:
            leads[each.owner] = min(leads.get(each.owner, each.at), each.at)
    furthest = [max(STAGES.index(stage) for stage in told[lead]) for lead in leads]
    counts = [sum(place <= far for far in furthest) for place in range(1, len(STAGES))]
    known = sum(each.owner is not None for each in arrived)
    days = [
        [max((told[lead][stage] - at) / DAY, 0) for lead, at in leads.items() if stage in told[lead]]
        for stage in STAGES[1:]
    ]
    wholes = [(known, len(arrived)), *zip(counts[1:], counts, strict=False)]
    steps = ("lead", "marketing_qualified", "sales_qualified", "opportunity", "customer")
    names = ("leads", "marketing_qualified", "sales_qualified", "opportunities", "customers")
    return {
        "visitors": len(arrived), "known_visitors": known, **dict(zip(names, counts, strict=True)),
        "rates": {
            step: pytest.approx(part / whole, abs=1e-4) if whole else None
            for step, (part, whole) in zip(steps, wholes, strict=True)
        },
        "median_days": {
            step: about(median, each) for step, each in zip(steps, days, strict=True)
        },
    }  # fmt: skip


def cohort_of(moment, cohort):
    day = moment.astimezone(BERLIN).date()
    begun = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}
    return begun[cohort].isoformat()


FUNNELS = [(PERIODS[0], "channel", "month"), (PERIODS[1], "source", "week"), (PERIODS[1], "campaign", "day")]


async def test_the_funnel_says_of_first_visits_what_the_records_of_their_leads_say(client, truth):
    told = await stages_of_leads(client, truth)
    for period, by, cohort in FUNNELS:
        report = await get(client, "funnel", period, by=by, cohort=cohort)
        keyed, cohorts = defaultdict(list), defaultdict(list)
        for each in arrivals(truth, period):
            keyed[key_of(each, by)].append(each)
            cohorts[cohort_of(each.at, cohort)].append(each)
        assert report["rows"] == [
            {"key": key, **funnel_figures(each, told)}
            for key, each in sorted(keyed.items(), key=lambda item: (-len(item[1]), item[0]))
        ]
        assert report["cohorts"] == [
            {"cohort": day, **funnel_figures(each, told)} for day, each in sorted(cohorts.items())
        ]
        assert report["total"] == funnel_figures(arrivals(truth, period), told)
        assert report["total"]["marketing_qualified"] > report["total"]["customers"] > 0


async def test_the_score_of_a_long_history_looks_at_as_much_of_it_as_the_record_of_its_lead(client, truth, monkeypatch):
    monkeypatch.setattr("services.reports.loop_store.NEWEST_MOMENTS", 6)
    monkeypatch.setattr("services.reports.lead_store.NEWEST_MOMENTS", 6)
    told = await stages_of_leads(client, truth)
    report = await get(client, "funnel")
    assert report["total"] == funnel_figures(arrivals(truth, (None, None)), told)


async def test_an_empty_period_answers_empty_reports(client):
    nobody = dict.fromkeys(("lead", "marketing_qualified", "sales_qualified", "opportunity", "customer"))
    empty = PERIODS[2]
    funnel = await get(client, "funnel", empty)
    assert (funnel["rows"], funnel["cohorts"], funnel["total"]["visitors"], funnel["total"]["rates"]) == (
        [],
        [],
        0,
        nobody,
    )
    paths = await get(client, "paths", empty)
    assert (paths["rows"], paths["currency"], paths["total"]["amount"]) == ([], None, "0.00")
    assert (
        await client.get("/api/v1/paths", params={"format": "csv", "from": empty[0], "to": empty[1]})
    ).text == "path;conversions;value;nulls\n"
    times = await get(client, "time-to-purchase", empty)
    assert (times["rows"], times["total"]["median"], times["unattributed"]) == ([], None, 0)
    content = await get(client, "content", empty)
    assert (content["rows"], content["journeys"], content["won"]) == ([], 0, 0)


REFUSED = [
    ("funnel", {"by": "landing_page"}, "unknown_dimension"),
    ("funnel", {"cohort": "year"}, "unknown_cohort"),
    ("paths", {"by": "owner"}, "unknown_dimension"),
    ("paths", {"format": "xml"}, "unknown_format"),
    ("paths", {"currency": "EURO"}, "unknown_currency"),
    ("time-to-purchase", {"from": "2026-02-30"}, "invalid_date"),
    ("content", {"from": "2026-02-02", "to": "2026-02-01"}, "invalid_period"),
    ("owners", {"model": "markov"}, "unknown_model"),
]


async def test_a_question_that_has_no_answer_is_refused(client):
    answers = [await client.get(f"/api/v1/{address}", params=query) for address, query, _ in REFUSED]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, code) for *_, code in REFUSED]


async def test_nobody_reads_them_without_the_admin_token(client):
    for address in ("funnel", "paths", "time-to-purchase", "content", "owners"):
        answer = await client.get(f"/api/v1/{address}", headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401
