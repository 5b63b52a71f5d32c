"""Reports on whole journeys, against a plain recomputation from the events: paths, durations, and the pages seen on the way."""

from collections import Counter, defaultdict
from decimal import Decimal
from statistics import mean, median

import orjson
import pytest

from services.local.attribute import attribute
from services.reports.content import compared
from services.reports.journeys import DAYS, TOUCHES, labels_of
from tests.chance_shop import DAY
from tests.journey_reports import PERIODS, about, euro_text, euros, get, key_of, lost_in, won_in


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
