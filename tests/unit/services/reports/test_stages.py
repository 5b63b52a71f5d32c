"""How far a lead has come."""

import pytest

from services.reports.stages import Business, Known, Scored, present_stage, stages_of
from tests.builders import at

ANN = Known("email:ann@example.org", at(day=2))
IN_HUBSPOT = Known("crm:hubspot:901", at(day=5))
COLD = Scored(None, enough=False, threshold=50)
HOT = Scored(at(day=4), enough=True, threshold=50)
COOLED = Scored(at(day=4), enough=False, threshold=50)


def business(stage, day=7, deal_id="7"):
    return Business(f"hubspot:{deal_id}", stage, at(day=day), at(day=day + 10) if stage == "won" else None)


PRESENT = [
    ("who has only been named is a lead", None, [ANN], COLD, [], "lead"),
    ("so is whoever has visited before", at(day=1), [ANN], COLD, [], "lead"),
    ("a score that is enough qualifies for marketing", at(day=1), [ANN], HOT, [], "marketing-qualified"),
    ("one that has faded no longer does", at(day=1), [ANN], COOLED, [], "lead"),
    ("a contact in the CRM is qualified for sales", None, [ANN, IN_HUBSPOT], COOLED, [], "sales-qualified"),
    ("an open deal is an opportunity", None, [ANN], COLD, [business("open")], "opportunity"),
    ("a lost one was one", None, [ANN], HOT, [business("lost")], "sales-qualified"),
    (
        "a lost one beside an open one leaves one",
        None,
        [ANN],
        COLD,
        [business("lost"), business("open")],
        "opportunity",
    ),
    ("a won deal makes a customer", None, [ANN], COLD, [business("won")], "customer"),
    ("for good, whatever comes then", None, [ANN], COLD, [business("won"), business("lost", 90, "8")], "customer"),
]


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in PRESENT])
def test_the_present_stage_is_the_furthest_that_holds(case):
    *known, stage = case
    assert present_stage(stages_of(*known)) == stage


def test_each_stage_has_the_day_when_it_was_first_reached_and_why():
    deals = [business("lost", 6, "5"), business("won", 8, "6"), business("won", 7, "7")]
    assert [each[:3] for each in stages_of(at(day=1), [IN_HUBSPOT, ANN], HOT, deals)] == [
        ("visitor", at(day=1), "its first visit"),
        ("lead", at(day=2), "first named as email:ann@example.org"),
        ("marketing-qualified", at(day=4), "its score reached 50"),
        ("sales-qualified", at(day=5), "known to the CRM as crm:hubspot:901"),
        ("opportunity", at(day=6), "deal hubspot:5"),
        ("customer", at(day=17), "deal hubspot:7 was won"),
    ]


def test_who_is_on_a_deal_by_an_e_mail_alone_is_known_to_sales_from_its_beginning():
    reached = {each.stage: each for each in stages_of(None, [ANN], COLD, [business("open")])}
    assert (reached["sales-qualified"].at, reached["sales-qualified"].why) == (at(day=7), "contact of deal hubspot:7")


def test_a_stage_that_no_longer_holds_is_told_as_one_that_was_reached():
    reached = {each.stage: each.holds for each in stages_of(None, [ANN], COOLED, [business("lost")])}
    assert reached == {
        "lead": True, "marketing-qualified": False, "sales-qualified": True, "opportunity": False,
    }  # fmt: skip
