"""Sales by representative: what rows of the store become."""

from services.reports.owners import owners_of
from services.reports.questions import Question


def counts(key, *, won=0, lost=0, is_total=0):
    return {"key": key, "leads": 1, "open": 0, "won": won, "lost": lost, "median_days": None, "is_total": is_total}


def test_owners_come_by_what_they_won_and_its_sources_add_up_to_it():
    report = owners_of(
        Question(),
        "EUR",
        deals=[
            counts("Omar", won=1, lost=3),
            counts("Rita", won=1),
            counts("Zoe"),
            counts(None, won=2, lost=3, is_total=1),
        ],
        money=[
            {"key": "Rita", "channel": "Email", "amount": 1},
            {"key": "Rita", "channel": "Direct", "amount": 999},
            {"key": "Omar", "channel": "Email", "amount": 500},
        ],
        unconverted=[],
    )
    assert [(row.owner, row.amount, row.win_rate) for row in report.rows] == [
        ("Rita", "10.00", 1.0), ("Omar", "5.00", 0.25), ("Zoe", "0.00", None),
    ]  # fmt: skip
    assert [(part.channel, part.amount) for part in report.rows[0].sources] == [("Direct", "9.99"), ("Email", "0.01")]
    assert (report.total.amount, report.total.win_rate) == ("15.00", 0.4)
    assert [(part.channel, part.amount) for part in report.total.sources] == [("Direct", "9.99"), ("Email", "5.01")]
