"""From a first visit to a customer: pure. Who came when and by what, and how far each lead has come, in; figures out.

Which stages a lead has come to is decided where its own record decides it, see `stages.py` and `score.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

from schemas.score import ScoreRules
from services.reports.journey_answers import Funnel, FunnelCohort, FunnelFigures, FunnelRow, Steps
from services.reports.journeys import rounded
from services.reports.questions import Question
from services.reports.rows import Row, deal_address
from services.reports.score import Moment, reached_at
from services.reports.stages import STAGES, Business, Known, Scored, stages_of

COHORTS = ("day", "week", "month")
STEPS = STAGES[1:]
"""What comes after the first visit."""

FIGURES = ("leads", "marketing_qualified", "sales_qualified", "opportunities", "customers")
"""What each step's leads are called in an answer."""

DAY = timedelta(days=1)

Reached = Mapping[str, datetime]
"""When a lead came to each step; one that it passed over, or has not come to, is missing."""


class LeadHistory(NamedTuple):
    """What decides how far a lead has come."""

    identifiers: Sequence[Known]
    deals: Sequence[Business]
    moments: Sequence[Moment]
    """In the order of time."""


def histories_of(members: Sequence[Row], deals: Sequence[Row], moments: Sequence[Row]) -> dict[UUID, LeadHistory]:
    """What rows tell of each lead; moments come in the order of time."""
    found: dict[UUID, tuple[list[Known], list[Business], list[Moment]]] = defaultdict(lambda: ([], [], []))
    for row in members:
        found[row["lead"]][0].append(Known(row["value"], row["first_at"]))
    for row in deals:
        found[row["lead"]][1].append(Business(deal_address(row), row["stage"], row["began_at"], row["closed_at"]))
    for row in moments:
        found[row["lead"]][2].append(Moment(row["kind"], row["at"], row["url"], row["name"]))
    return {lead: LeadHistory(*parts) for lead, parts in found.items()}


def reached_of(history: LeadHistory, rules: ScoreRules, now: datetime) -> Reached:
    """When the lead came to each step, whether it still holds or not."""
    scored = Scored(reached_at(rules, history.moments, now), enough=False, threshold=rules.threshold)
    return {each.stage: each.at for each in stages_of(None, history.identifiers, scored, history.deals)}


def funnel_of(question: Question, cohort: str, arrivals: Sequence[Row], reached: Mapping[UUID, Reached]) -> Funnel:
    """The report. An arrival is some visitors of one key, cohort and lead, and when the first of them came."""
    keyed, cohorts = _grouped(arrivals, "key"), _grouped(arrivals, "cohort")
    rows = [FunnelRow(key=key, **_figures(own, reached)) for key, own in keyed.items()]
    return Funnel(
        from_=question.since,
        to=question.until,
        by=question.by,
        cohort=cohort,
        rows=sorted(rows, key=lambda row: (-row.visitors, row.key)),
        total=FunnelFigures(**_figures(arrivals, reached)),
        cohorts=[FunnelCohort(cohort=begun, **_figures(own, reached)) for begun, own in sorted(cohorts.items())],
    )


def _grouped(arrivals: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in arrivals:
        groups.setdefault(row[column], []).append(row)
    return groups


def _figures(arrivals: Sequence[Row], reached: Mapping[UUID, Reached]) -> dict[str, Any]:
    first_at: dict[UUID, datetime] = {}
    for row in arrivals:
        if row["lead"] is not None:
            first_at[row["lead"]] = min(first_at.get(row["lead"], row["first_at"]), row["first_at"])
    visitors = sum(row["visitors"] for row in arrivals)
    known = sum(row["visitors"] for row in arrivals if row["lead"] is not None)
    # A lead counts for every step up to its furthest; a day it has only of those that it did not pass over.
    furthest = [max(STEPS.index(step) for step in reached[lead]) for lead in first_at]
    counts = [sum(place <= far for far in furthest) for place in range(len(STEPS))]
    days = [
        [max(reached[lead][step] - came, timedelta()) / DAY for lead, came in first_at.items() if step in reached[lead]]
        for step in STEPS
    ]
    parts = [(known, visitors), *((count, before) for before, count in pairwise(counts))]
    return {
        "visitors": visitors,
        "known_visitors": known,
        **dict(zip(FIGURES, counts, strict=True)),
        "rates": _steps([rounded(part / whole if whole else None, 4) for part, whole in parts]),
        "median_days": _steps([rounded(median(each) if each else None, 2) for each in days]),
    }


def _steps(figures: Sequence[float | None]) -> Steps:
    return Steps(**dict(zip(Steps.model_fields, figures, strict=True)))
