"""What was seen in the journeys that won, and how they compare with the others: pure."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from services.reports.journey_answers import Content, PageRow
from services.reports.journeys import amount_in, rounded
from services.reports.questions import Question
from services.reports.rows import Row, missing_rates_of

FEW = 30
"""Journeys; of fewer a share says little."""

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution: between it and its negative lie 95 %."""


def content_of(question: Question, currency: str | None, rows: Sequence[Row], unconverted: Sequence[Row]) -> Content:
    """The report; every row also has the number of all journeys, and a row without a page has nothing else."""
    whole = rows[0]
    return Content(
        from_=question.since,
        to=question.until,
        currency=currency,
        journeys=whole["all_journeys"],
        won=whole["all_won"],
        rows=[
            PageRow(
                page=row["page"],
                kind="download" if row["is_download"] else "page",
                amount=amount_in(row["amount"], currency),
                **compared(row["journeys"], row["won"], row["all_journeys"], row["all_won"]),
            )
            for row in rows
            if row["page"] is not None
        ],
        missing_rates=missing_rates_of(unconverted, currency),
    )


def compared(with_it: int, won_with: int, journeys: int, won: int) -> dict[str, Any]:
    """How `with_it` of all journeys, `won_with` of which won, compare with the rest. `with_it` is at least 1."""
    without, won_without = journeys - with_it, won - won_with
    low, high = wilson(won_with, with_it)
    return {
        "journeys_with": with_it,
        "won_with": won_with,
        "rate_with": round(won_with / with_it, 4),
        "rate_with_low": round(low, 4),
        "rate_with_high": round(high, 4),
        "rate_without": rounded(won_without / without if without else None, 4),
        "lift": rounded(won_with * without / (with_it * won_without) if won_without else None, 4),
        "few": min(with_it, without) < FEW,
    }


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927): it stays within 0 and 1, and holds for few trials as well."""
    share, z_squared = hits / trials, Z * Z
    centre = share + z_squared / (2 * trials)
    reach = Z * sqrt(share * (1 - share) / trials + z_squared / (4 * trials * trials))
    whole = 1 + z_squared / trials
    return max(0.0, (centre - reach) / whole), min(1.0, (centre + reach) / whole)
