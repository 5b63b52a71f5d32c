"""Owners and the funnel, against a plain recomputation from the events; and what all reports over journeys refuse."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median
from typing import NamedTuple

import pytest

from schemas.deal import Stage
from schemas.identifier import identifier_id
from services.reports.stages import STAGES
from tests.builders import ID_KEY
from tests.chance_shop import DAY
from tests.journey_reports import BERLIN, PERIODS, about, euro_text, get, key_of, within, won_in
from tests.reference.models import divided, shares_of


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
    monkeypatch.setattr("services.reports.journey_store.NEWEST_MOMENTS", 6)
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
