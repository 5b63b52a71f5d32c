"""`explain`: why a deal's money went where it went, on a ledger that the attributor wrote."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from fractions import Fraction

import pytest

from services.attribution.weights import MODELS
from services.reports.explain_answers import DealExplanation
from services.reports.explain_page import explain_page
from services.reports.questions import Question
from services.reports.store import Store
from services.runtime.postgres import Database, connect
from tests.builders import BING, GOOGLE_AD, NEWSLETTER, RULES, at, deal, form, make_event, page
from tests.closing import Loop
from tests.filling import filled_database

ANN, NOBODY = [{"email": "ann@x.org"}], [{"email": "nobody@x.org"}]
CLOSED = {"created_at": "2026-04-08T00:00:00Z", "closed_at": "2026-04-10T00:00:00Z"}
BREATH = timedelta(microseconds=1)
EVENTS = [
    page("v", "too early", at(day=2), BING),
    page("v", "ad", at(day=80), GOOGLE_AD),
    form("v", "form", at(day=90), "ann@x.org"),
    page("v", "mail", at(day=98), NEWSLETTER + "&utm_campaign=[red]"),
    make_event("touch", "fair", at(day=99), email="ann@x.org", source="fair", medium="offline", name="the fair"),
    page("v", "too late", at(day=140), BING),
    deal("7", "opened", at(day=97), "open", contacts=ANN),
    deal("7", "won", at(day=100), contacts=ANN, owner="Rita", **CLOSED),
    deal("7", "refund", at(day=110), contacts=ANN, owner="Rita", amount="60.01", **CLOSED),
    deal("lost", "l1", at(day=100), contacts=ANN, **CLOSED),
    deal("lost", "l2", at(day=101), "lost", contacts=ANN),
    deal("alone", "a", at(day=100), **CLOSED),
    deal("unseen", "u", at(day=100), contacts=NOBODY, **CLOSED),
    deal("early", "e", at(day=100), contacts=ANN, created_at="2025-01-01", closed_at="2025-01-02"),
]
LATE = page("w", "second device", at(day=91))
JOINED = form("w", "late form", at(day=92), "ann@x.org")


@pytest.fixture(scope="module")
def credited_dsn(postgres_dsn: str, migrated_template: str) -> Iterator[str]:
    """A database with the deals of EVENTS, credited, and corrected once more by a device that turned up late."""
    with filled_database(postgres_dsn, migrated_template, _credit) as dsn:
        yield dsn


async def _credit(database: Database) -> None:
    await Loop(database).take(*EVENTS)
    await Loop(database).take(LATE, JOINED)


@pytest.fixture
async def credited(credited_dsn: str) -> AsyncIterator[Database]:
    async with connect(credited_dsn, application="reports", read_only=True) as database:
        yield database


async def explained(database: Database, address: str, model: str = "linear", **words: bool) -> DealExplanation:
    return await Store(database, RULES).explain(address, Question(model), **words)


async def test_each_touch_is_told_with_the_rule_that_makes_it_the_deals(credited: Database) -> None:
    told = [(each.channel, each.owned_by, each.identifier) for each in (await explained(credited, "7")).touches]
    assert told == [
        ("Paid Search", "later", "email:ann@x.org"),
        ("Direct", "identified", "email:ann@x.org"),
        ("Direct", "later", "email:ann@x.org"),
        ("Direct", "identified", "email:ann@x.org"),
        ("Email", "earlier", "email:ann@x.org"),
        ("Unassigned", "named", "email:ann@x.org"),
    ]


async def test_touches_outside_of_the_window_are_counted_and_the_nearest_told(credited: Database) -> None:
    window = (await explained(credited, "7")).window
    assert window is not None
    assert (window.first, window.last) == (at(day=98) - RULES.lookback, at(day=100))
    told = [(each.side, each.touches, each.nearest_at) for each in window.outside]
    assert told == [("before", 1, at(day=2)), ("after", 1, at(day=140))]


async def test_milestones_are_told_with_the_touch_that_each_is(credited: Database) -> None:
    told = [(each.milestone, each.at, each.place) for each in (await explained(credited, "7")).milestones]
    assert told == [
        ("first touch", at(day=80), 1),
        ("lead creation", at(day=90), 2),
        ("deal creation", at(day=98), 5),
        ("last touch", at(day=99), 6),
    ]


async def test_exact_fractions_of_every_model_sum_to_one_and_rounding_moves_no_part_by_a_whole_cent(
    credited: Database,
) -> None:
    splits = (await explained(credited, "7", all_models=True)).splits
    assert {split.model for split in splits} == MODELS.keys()
    for split in splits:
        exact = [Fraction(part.exact or 0) for part in split.parts]
        given = [Fraction(part.amount) * 100 for part in split.parts]
        assert sum(Fraction(part.share) for part in split.parts) == 1
        assert sum(exact) == sum(given) == 6001
        assert all(abs(one - other) < 1 for one, other in zip(exact, given, strict=True))
        assert sum(part.given for part in split.parts) == Fraction(split.left or 0) * 100


async def test_the_cent_that_rounding_leaves_is_told_with_who_got_it(credited: Database) -> None:
    (split,) = (await explained(credited, "7")).splits
    assert split.left == "0.01"
    assert [(part.share, part.exact, part.rounded_down, part.given, part.amount) for part in split.parts] == [
        ("1/6", "6001/6", "10.00", True, "10.01"),
        *[("1/6", "6001/6", "10.00", False, "10.00")] * 5,
    ]


async def test_each_correction_is_told_with_its_cause_and_what_it_moved(credited: Database) -> None:
    history = (await explained(credited, "7")).history
    told = [(each.cause, each.amount, each.touches, [(m.key, m.difference) for m in each.moved]) for each in history]
    quarter = [("Direct", "25.00"), ("Email", "25.00"), ("Paid Search", "25.00"), ("Unassigned", "25.00")]
    tenth = [("Direct", "-10.00"), ("Email", "-10.00"), ("Unassigned", "-10.00"), ("Paid Search", "-9.99")]
    joined = [("Direct", "15.00"), ("Email", "-5.00"), ("Paid Search", "-5.00"), ("Unassigned", "-5.00")]
    assert told == [
        ("deal changed", "100.00", 4, quarter),
        ("deal changed", "60.01", 4, tenth),
        ("touch arrived", "60.01", 6, joined),
    ]


async def test_what_was_won_and_lost_again_has_a_history_and_no_credits(credited: Database) -> None:
    lost = await explained(credited, "lost")
    assert (lost.credited, lost.splits, [each.amount for each in lost.history]) == (False, [], ["100.00", None])
    assert "Only a won deal has credits." in explain_page(lost)


async def test_a_deal_is_shown_as_it_stood(credited: Database) -> None:
    first, second, _ = (await explained(credited, "7")).history
    store = Store(credited, RULES)
    for as_of, amount, corrections in (
        (first.at, "100.00", 1),
        (second.at - BREATH, "100.00", 1),
        (second.at, "60.01", 2),
    ):
        then = await store.explain("7", Question(as_of=as_of))
        assert (then.credited_amount, len(then.touches), len(then.history)) == (amount, 4, corrections)
    before = await store.explain("7", Question(as_of=first.at - BREATH))
    assert (before.credited, before.history) == (False, [])
    (won, lost) = (await explained(credited, "lost")).history
    assert [each.amount for each in (await store.explain("lost", Question(as_of=lost.at - BREATH))).history] == [
        "100.00"
    ]
    assert won.at < lost.at


@pytest.mark.parametrize(
    ("deal_id", "code"),
    [("alone", "no_contacts"), ("unseen", "no_touches"), ("early", "outside_of_window"), ("7", None)],
)
async def test_where_nobody_is_credited_it_says_what_was_looked_for(
    credited: Database, deal_id: str, code: str | None
) -> None:
    answer = await explained(credited, deal_id)
    assert [problem.code for problem in answer.missing] == ([code] if code else [])
    assert all(problem.message in explain_page(answer) for problem in answer.missing)


async def test_of_the_crms_versions_the_newest_counts_and_one_whose_id_is_taken_does_not(loop: Loop) -> None:
    first = deal("7", "v1", at(day=10), contacts=ANN)
    await loop.take(first, {**first, "deal_id": "8", "occurred_at": "2026-03-01T00:00:00.000000Z"})
    await loop.take(deal("7", "v0", at(day=9), amount="1.00"))
    versions = (await explained(loop.database, "7")).versions
    assert [(each.event_id, each.amount, each.is_newest) for each in versions] == [
        ("v0", "1.00", False),
        ("v1", "100.00", True),
    ]
    await loop.take(deal("8", "v2", at(day=11)))
    versions = (await explained(loop.database, "8")).versions
    assert [(each.event_id, each.counts, each.is_newest) for each in versions] == [
        ("v1", False, False),
        ("v2", True, True),
    ]


async def test_the_page_takes_names_as_text_and_explains_each_cent(credited: Database) -> None:
    page_of = explain_page(await explained(credited, "7", all_models=True))
    assert "[red]" in page_of
    assert "Rounded down, 0.01 EUR were left" in page_of
    assert "so to 1." in page_of
    assert all(model in page_of for model in MODELS)
