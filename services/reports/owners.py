"""Sales by the representatives who own the deals: pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from services.reports.journey_answers import Earned, OwnerFigures, OwnerRow, Owners
from services.reports.journeys import amount_in, rounded
from services.reports.questions import Question
from services.reports.rows import Row, missing_rates_of

Money = Mapping[str, int]
"""Minor units by channel."""


def owners_of(
    question: Question, currency: str | None, deals: Sequence[Row], money: Sequence[Row], unconverted: Sequence[Row]
) -> Owners:
    """The report: `deals` are counted by owner, with one total row, `money` is by owner and channel."""
    earned: defaultdict[str, Counter[str]] = defaultdict(Counter)
    whole: Counter[str] = Counter()
    for row in money:
        earned[row["key"]][row["channel"]] += int(row["amount"])
        whole[row["channel"]] += int(row["amount"])
    rows = [row for row in deals if not row["is_total"]]
    rows.sort(key=lambda row: (-earned[row["key"]].total(), -row["won"], row["key"]))
    return Owners(
        from_=question.since,
        to=question.until,
        model=question.model,
        currency=currency,
        rows=[OwnerRow(owner=row["key"], **_figures(row, earned[row["key"]], currency)) for row in rows],
        total=OwnerFigures(**_figures(next(row for row in deals if row["is_total"]), whole, currency)),
        missing_rates=missing_rates_of(unconverted, currency),
    )


def _figures(row: Row, earned: Money, currency: str | None) -> dict[str, Any]:
    ended = row["won"] + row["lost"]
    parts = sorted(earned.items(), key=lambda part: (-part[1], part[0]))
    return {
        **{name: row[name] for name in ("leads", "open", "won", "lost")},
        "win_rate": rounded(row["won"] / ended if ended else None, 4),
        "amount": amount_in(sum(earned.values()), currency),
        "median_days": rounded(row["median_days"], 2),
        "sources": [Earned(channel=channel, amount=amount_in(part, currency)) for channel, part in parts if part],
    }
