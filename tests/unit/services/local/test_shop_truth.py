"""What an honest observer can see of planted visits, and why it differs from the truth."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from services.local.shop.comparison import Measured, compare
from services.local.shop.credit import MODELS, split
from services.local.shop.history import Deal, Person, Reason, Shop, Visit
from services.local.shop.truth import Credit, Explained, Observer

LOOKBACK = timedelta(days=90)
DAY_0 = datetime(2026, 4, 1, 12, tzinfo=UTC)


def visit(visitor, day, person="ann", channel="Email", *, seen=None, mask=None, lead=None, refused=False):
    return Visit(
        visitor_id=visitor,
        touch_id=f"{visitor}@{day}",
        at=DAY_0 + timedelta(days=day),
        person=person,
        true_channel=channel,
        seen_channel=seen or channel,
        mask=mask,
        lead=lead,
        refused=refused,
    )


def deal(people="ann", leads=None, amount=100, closed=50, created=45):
    return Deal(
        deal_id="d-1",
        people=frozenset(people.split()),
        leads=frozenset((leads or people).split()),
        won=True,
        amount=amount,
        created_at=DAY_0 + timedelta(days=created),
        closed_at=DAY_0 + timedelta(days=closed),
    )


def shop(*visits, deals=()):
    return Shop(1, 1, (Person("Ann", "ann", "ann2", "u", "c"),), visits, tuple(deals), ())


def explain(*visits, of=None, model="linear", lookback=LOOKBACK):
    return Observer(shop(*visits)).explain(of or deal(), model, lookback)


def by_channel(explained):
    amounts = Counter()
    for part in explained.visible:
        amounts[part.channel] += part.amount
    return dict(amounts)


HALVES = {"Email": 50, "Referral": 50}

CASES = {
    "a form takes the anonymous past of its cookie along": (
        [visit("a", 1, channel="Referral"), visit("a", 5, lead="ann")],
        deal(),
        HALVES,
        HALVES,
        {},
    ),
    "visits after the deal has closed earn nothing": (
        [visit("a", 5, lead="ann"), visit("a", 51, channel="Display")],
        deal(),
        {"Email": 100},
        {"Email": 100},
        {},
    ),
    "hearsay looks like a visit that nobody sent": (
        [visit("a", 5, channel="Word of mouth", seen="Direct", mask=Reason.WORD_OF_MOUTH, lead="ann")],
        deal(),
        {"Word of mouth": 100},
        {"Direct": 100},
        {Reason.WORD_OF_MOUTH: {"Word of mouth": -100, "Direct": 100}},
    ),
    "an ad without tags looks unpaid": (
        [visit("a", 5, channel="Paid Social", seen="Organic Social", mask=Reason.UNTAGGED, lead="ann")],
        deal(),
        {"Paid Social": 100},
        {"Organic Social": 100},
        {Reason.UNTAGGED: {"Paid Social": -100, "Organic Social": 100}},
    ),
    "a device that never signs in hides its visits": (
        [visit("phone", 1, channel="Referral"), visit("a", 5, lead="ann")],
        deal(),
        HALVES,
        {"Email": 100},
        {Reason.SECOND_DEVICE: {"Referral": -50, "Email": 50}},
    ),
    "a login on the second device brings its past back": (
        [visit("phone", 1, channel="Referral"), visit("phone", 60, lead="ann"), visit("a", 5, lead="ann")],
        deal(),
        HALVES,
        HALVES,
        {},
    ),
    "a buyer without an address is a stranger": (
        [visit("a", 1, channel="Referral")],
        deal(),
        {"Referral": 100},
        {"Unattributed": 100},
        {Reason.NEVER_IDENTIFIED: {"Referral": -100, "Unattributed": 100}},
    ),
    "who refuses is not seen, form or no form": (
        [visit("a", 1, refused=True, lead="ann")],
        deal(),
        {"Email": 100},
        {"Unattributed": 100},
        {Reason.REFUSED: {"Email": -100, "Unattributed": 100}},
    ),
    "an address that only the CRM knows leads nowhere": (
        [visit("a", 1, lead="ann")],
        deal(leads="ann@home"),
        {"Email": 100},
        {"Unattributed": 100},
        {Reason.OTHER_ADDRESS: {"Email": -100, "Unattributed": 100}},
    ),
    "on a shared computer the first named person gets what came before the second form": (
        [
            visit("a", 1, "ann", "Email", lead="ann"),
            visit("a", 2, "bob", "Referral"),
            visit("a", 3, "bob", "Display", lead="bob"),
        ],
        deal(),
        {"Email": 100},
        HALVES,
        {Reason.SHARED_COMPUTER: {"Email": -50, "Referral": 50}},
    ),
    "on a shared computer the second person loses what came before the own form": (
        [
            visit("a", 1, "ann", "Email", lead="ann"),
            visit("a", 2, "bob", "Referral"),
            visit("a", 3, "bob", "Email", lead="bob"),
        ],
        deal("bob"),
        HALVES,
        {"Email": 100},
        {Reason.SHARED_COMPUTER: {"Referral": -50, "Email": 50}},
    ),
    "a visit before the lookback window counts in truth alone": (
        [visit("a", -60, channel="Referral"), visit("a", 5, lead="ann")],
        deal(),
        HALVES,
        {"Email": 100},
        {Reason.LOOKBACK: {"Referral": -50, "Email": 50}},
    ),
    "a visit exactly as old as the lookback still counts": (
        [visit("a", -45, channel="Referral"), visit("a", 5, lead="ann")],
        deal(),
        HALVES,
        HALVES,
        {},
    ),
    "all contacts of a deal bring their visits": (
        [visit("a", 1, "ann", "Email", lead="ann"), visit("b", 2, "bob", "Referral", lead="bob")],
        deal("ann bob"),
        HALVES,
        HALVES,
        {},
    ),
    "a buyer who never came to the site is nobody's": ([], deal(), {"Unattributed": 100}, {"Unattributed": 100}, {}),
    "two reasons share the difference in the order of the ladder": (
        [
            visit("a", 1, channel="Word of mouth", seen="Direct", mask=Reason.WORD_OF_MOUTH, lead="ann"),
            visit("phone", 2, channel="Referral"),
        ],
        deal(),
        {"Word of mouth": 50, "Referral": 50},
        {"Direct": 100},
        {
            Reason.WORD_OF_MOUTH: {"Word of mouth": -50, "Direct": 50},
            Reason.SECOND_DEVICE: {"Referral": -50, "Direct": 50},
        },
    ),
}


@pytest.mark.parametrize(("visits", "of", "true", "visible", "moved"), CASES.values(), ids=CASES)
def test_the_difference_between_truth_and_sight_is_named(visits, of, true, visible, moved):
    explained = explain(*visits, of=of)
    assert explained.true == true
    assert by_channel(explained) == visible
    assert explained.moved == moved


def test_visible_credits_stand_in_the_order_of_the_journey():
    explained = explain(visit("a", 5, lead="ann"), visit("a", 1, channel="Referral"), model="first_touch")
    assert explained.visible == (Credit("a@1", "Referral", 100), Credit("a@5", "Email", 0))


SHARES = [
    ("first_touch", 1, [100]),
    ("first_touch", 3, [100, 0, 0]),
    ("last_touch", 3, [0, 0, 100]),
    ("linear", 3, [34, 33, 33]),
    ("linear", 6, [17, 17, 17, 17, 16, 16]),
    ("position_based", 1, [100]),
    ("position_based", 2, [50, 50]),
    ("position_based", 3, [40, 20, 40]),
    ("position_based", 5, [40, 7, 7, 6, 40]),
]


@pytest.mark.parametrize(("model", "touches", "cents"), SHARES)
def test_a_euro_is_split_to_the_cent_and_earlier_touches_get_odd_ones(model, touches, cents):
    assert split(100, MODELS[model](touches)) == cents


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("amount", [0, 1, 2, 99, 100_001])
def test_no_cent_is_lost_or_made(model, amount):
    assert all(sum(split(amount, MODELS[model](touches))) == amount for touches in range(1, 40))


CREDIT = (Credit("t", "Email", 100),)
EXPECTED = {
    "d-1": Explained(
        Counter({"Word of mouth": 100}), CREDIT, {Reason.WORD_OF_MOUTH: {"Word of mouth": -100, "Email": 100}}
    )
}


def compared(credits_, deals=1, **reported):
    measured = Measured({"d-1": credits_}, deals, reported or {"Email": 100})
    return compare(shop(deals=[deal()]), EXPECTED, measured)


def test_a_difference_that_has_its_reason_is_explained():
    assert compared(CREDIT).explained


@pytest.mark.parametrize(
    "credits_",
    [(Credit("t", "Direct", 100),), (Credit("other", "Email", 100),), (Credit("t", "Email", 99),), ()],
    ids=["another channel", "another touch", "a cent less", "no credits"],
)
def test_a_deal_credited_otherwise_is_named(credits_):
    assert [each.deal_id for each in compared(credits_).disagreements] == ["d-1"]
    assert not compared(credits_).explained


def test_money_that_no_reason_moved_is_unexplained():
    rows = {row.channel: row.unexplained for row in compared((Credit("t", "Display", 100),)).rows}
    assert rows == {"Word of mouth": 0, "Email": -100, "Display": 100}


def test_a_report_that_contradicts_the_credits_is_no_success():
    found = compared(CREDIT, Email=60, Direct=40)
    assert found.misreported == {"Email": -40, "Direct": 40}
    assert not found.explained


def test_a_report_on_other_deals_as_well_is_not_compared():
    found = compared(CREDIT, deals=3, Email=500)
    assert (found.other_deals, found.misreported, found.explained) == (2, {}, True)


def test_a_report_that_lacks_deals_is_no_success():
    assert not compared(CREDIT, deals=0).explained
