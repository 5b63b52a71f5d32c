"""How far visitors have come: who is counted, once or twice, and from when."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from schemas.score import ScorePart, ScoreRules
from services.reports.funnel import funnel_of, histories_of, reached_of
from services.reports.questions import Question

ANN, BOB = UUID(int=1), UUID(int=2)
JANUARY = date(2026, 1, 1)
RULES = ScoreRules(threshold=20, parts={"forms": ScorePart(counts="form", points=20, at_most=40)})


def day(number):
    return datetime(2026, 1, number, tzinfo=UTC)


def arrival(key, lead=None, visitors=1, came=1, cohort=JANUARY):
    return {"key": key, "cohort": cohort, "lead": lead, "visitors": visitors, "first_at": day(came)}


LEAD = {"lead": day(3)}
CUSTOMER = {"lead": day(3), "sales-qualified": day(5), "opportunity": day(5), "customer": day(11)}


def figures(arrivals, reached):
    return funnel_of(Question(), "month", arrivals, reached).total


def test_visitors_are_browsers_and_leads_are_people():
    total = figures([arrival("Email", ANN, visitors=3), arrival("Email", visitors=7)], {ANN: LEAD})
    assert (total.visitors, total.known_visitors, total.leads, total.rates.lead) == (10, 3, 1, 0.3)


def test_a_lead_who_came_by_two_channels_is_in_both_rows_and_once_in_all():
    report = funnel_of(Question(), "month", [arrival("Email", ANN), arrival("Direct", ANN, 2)], {ANN: LEAD})
    assert [(row.key, row.visitors, row.leads) for row in report.rows] == [("Direct", 2, 1), ("Email", 1, 1)]
    assert (report.total.visitors, report.total.leads) == (3, 1)


def test_whoever_passed_over_a_stage_counts_for_it_but_has_no_day_of_it():
    total = figures([arrival("Email", ANN), arrival("Email", BOB)], {ANN: LEAD, BOB: CUSTOMER})
    counts = (total.leads, total.marketing_qualified, total.sales_qualified, total.opportunities, total.customers)
    assert counts == (2, 1, 1, 1, 1)
    assert total.rates.model_dump() == {
        "lead": 1, "marketing_qualified": 0.5, "sales_qualified": 1, "opportunity": 1, "customer": 1,
    }  # fmt: skip
    assert total.median_days.marketing_qualified is None
    assert total.median_days.customer == 10


def test_days_run_from_the_first_of_a_leads_visits_and_are_none_for_whom_a_crm_knew_before():
    total = figures([arrival("Email", ANN, came=6), arrival("Direct", ANN, came=9)], {ANN: CUSTOMER})
    assert (total.median_days.lead, total.median_days.opportunity, total.median_days.customer) == (0, 0, 5)


def test_cohorts_are_in_the_order_of_time():
    february = date(2026, 2, 1)
    report = funnel_of(Question(), "month", [arrival("Email", cohort=february, visitors=2), arrival("Email")], {})
    assert [(row.cohort, row.visitors) for row in report.cohorts] == [(JANUARY, 1), (february, 2)]


def test_without_visitors_there_is_nothing_to_tell():
    total = figures([], {})
    assert (total.visitors, total.rates.lead, total.median_days.customer) == (0, None, None)


def test_the_stages_of_a_lead_are_those_of_its_own_record():
    histories = histories_of(
        members=[
            {"lead": ANN, "value": "email:ann@example.org", "first_at": day(2)},
            {"lead": ANN, "value": "crm:hubspot:7", "first_at": day(4)},
            {"lead": BOB, "value": "email:bob@example.org", "first_at": day(3)},
        ],
        deals=[
            {
                "lead": ANN,
                "provider": "hubspot",
                "deal_id": "1",
                "stage": "lost",
                "began_at": day(6),
                "closed_at": day(9),
            }
        ],
        moments=[{"lead": ANN, "kind": "form", "at": day(5), "url": None, "name": None}],
    )
    now = day(5) + timedelta(days=300)
    assert {lead: reached_of(history, RULES, now) for lead, history in histories.items()} == {
        ANN: {"lead": day(2), "marketing-qualified": day(5), "sales-qualified": day(4), "opportunity": day(6)},
        BOB: {"lead": day(3)},
    }
