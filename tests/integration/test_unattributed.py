"""A touch may be called Unattributed, as the deals are of which no touch is known: no report takes one for the other."""

import asyncpg

from services.reports.journey_store import JourneyStore
from services.reports.questions import Question
from services.reports.store import Store
from tests.builders import GOOGLE_AD, RULES, at, deal, form, make_event, page
from tests.closing import Loop

TOUCH = {"channel": "Unattributed", "source": "fair", "medium": "stand"}


async def test_money_of_a_touch_called_unattributed_stands_beside_money_without_any_touch(
    database: asyncpg.Pool,
) -> None:
    await Loop(database).take(
        make_event("touch", "t1", at(day=1), email="a@x.org", **TOUCH),
        deal("called", "d1", at(day=3), contacts=[{"email": "a@x.org"}]),
        make_event("touch", "t2", at(day=1), email="b@x.org", **TOUCH),
        page("w", "p1", at(day=2), GOOGLE_AD),
        form("w", "f2", at("00:05", day=2), "b@x.org"),
        deal("both", "d2", at(day=3), contacts=[{"email": "b@x.org"}]),
        deal("unknown", "d3", at(day=3)),
    )
    earned = {"linear": ("250.00", "50.00"), "markov": ("233.33", "66.67"), "shapley": ("250.00", "50.00")}
    for model, (called_so, paid_search) in earned.items():
        report = await Store(database, RULES).revenue(Question(model, "channel", currency="EUR"))
        told = {row.key: row.amount for row in report.rows}
        assert (report.total, told) == ("300.00", {"Unattributed": called_so, "Paid Search": paid_search}), model
    paths = await JourneyStore(database).paths(Question(currency="EUR"), RULES.zone, 10, collapse=False)
    assert [(row.path, row.deals, row.touches) for row in paths.rows] == [
        ("Unattributed", 1, 1),
        ("Unattributed", 1, None),
        ("Unattributed > Paid Search", 1, 2),
    ]
