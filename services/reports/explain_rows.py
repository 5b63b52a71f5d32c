"""From rows of the ledger and of identity to the answer why a deal's money went where it went. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from schemas.money import decimal_text
from services.attribution.weights import models_of
from services.reports.answers import Problem
from services.reports.explain_answers import (
    Contact,
    DealExplanation,
    ExplainedTouch,
    Milestone,
    OutsideTouches,
    Version,
    Window,
)
from services.reports.explain_history import history_of
from services.reports.explain_split import course_of, split_of
from services.reports.rows import Row, amount_text, deal_address
from services.runtime.rules import Rules

LINES = 100
"""Versions and corrections that are told."""


class DealEvidence(NamedTuple):
    """What was found about one deal."""

    versions: Sequence[Row]
    """In the CRM's order."""
    people: Sequence[Row]
    """A row an identifier of a contact's lead, those of one contact together."""
    entries: Sequence[Row]
    """As far as they had been recorded, the newest first, `LINES` and one more."""
    entry: Row | None
    """The one of these that holds."""
    window: tuple[datetime, datetime] | None
    """Of that entry."""
    credits: Sequence[Row]
    """Of that entry, of all models."""
    owned: Sequence[Row]
    """Touches of the leads within the window."""
    outside: Sequence[Row]
    registered_at: datetime | None


def explanation_of(
    deal: Row, found: DealEvidence, rules: Rules, asked: Sequence[str], as_of: datetime | None
) -> DealExplanation:
    """The answer; `asked` are the models whose splits are told, the history is told under the first."""
    entry = found.entry
    models = models_of(rules.custom_models)
    by_model = {row["model"]: row for row in found.credits}
    return DealExplanation(
        id=deal_address(deal),
        **{name: deal[name] for name in ("provider", "deal_id", "stage", "currency", "created_at", "closed_at")},
        updated_at=deal["updated_at"],
        amount=amount_text(deal["amount"], deal["currency"]),
        owner=deal["owner"],
        as_of=as_of,
        versions=list(_versions(found.versions)),
        contacts=_contacts(found.people),
        credited=entry is not None,
        credited_amount=None if entry is None else decimal_text(entry["amount"], entry["currency"]),
        credited_currency=None if entry is None else entry["currency"],
        window=_window(found, rules.lookback_days),
        milestones=_milestones(entry, found.registered_at),
        touches=[] if entry is None else list(_touches(entry, found.owned)),
        splits=[] if entry is None else [split_of(entry, by_model[name], models) for name in asked if name in by_model],
        missing=list(_missing(found)),
        history=list(history_of(found.entries, as_of))[-LINES:],
    )


def _versions(rows: Sequence[Row]) -> Iterator[Version]:
    newest = max((place for place, row in enumerate(rows) if row["counts"]), default=None)
    for place, row in enumerate(rows):
        yield Version(
            **{name: row[name] for name in ("event_id", "updated_at", "stage", "currency", "created_at", "closed_at")},
            owner=row["owner"],
            amount=amount_text(row["amount"], row["currency"]),
            contacts=row["contacts"],
            counts=row["counts"],
            is_newest=place == newest,
        )


def _contacts(people: Sequence[Row]) -> list[Contact]:
    by_contact = [list(rows) for _, rows in groupby(people, key=lambda row: row["contact"])]
    return [
        Contact(
            contact=rows[0]["value"],
            lead_id=rows[0]["lead"],
            shared=bool(rows[0]["shared"]),
            identifiers=[row["member"] for row in rows if row["member"] is not None],
        )
        for rows in by_contact
    ]


def _window(found: DealEvidence, lookback_days: int) -> Window | None:
    if found.window is None:
        return None
    names = ("channel", "source", "medium", "landing_page")
    outside = [
        OutsideTouches(
            side="before" if row["is_before"] else "after",
            touches=row["touches"],
            nearest_at=row["occurred_at"],
            **{f"nearest_{name}": row[name] for name in names},
        )
        for row in sorted(found.outside, key=lambda row: not row["is_before"])
    ]
    return Window(first=found.window[0], last=found.window[1], lookback_days=lookback_days, outside=outside)


def _milestones(entry: Row | None, registered_at: datetime | None) -> list[Milestone]:
    """In the order of what they are; none for a deal that nobody is credited for."""
    if entry is None or entry["touch_id"][0] is None:
        return []
    course = course_of(entry)
    lead = Milestone(milestone="lead creation", at=registered_at, place=course.lead + 1)
    return [
        Milestone(milestone="first touch", at=entry["occurred_at"][0], place=1),
        *([lead] if entry["lead_touch"] else []),
        Milestone(milestone="deal creation", at=entry["created_at"], place=course.deal + 1),
        Milestone(milestone="last touch", at=entry["occurred_at"][-1], place=entry["touches"]),
    ]


def _touches(entry: Row, owned: Sequence[Row]) -> Iterator[ExplainedTouch]:
    owners = {(row["visitor_id"], row["touch_id"], row["occurred_at"]): row for row in owned}
    for place in range(entry["touches"]):
        own = owners.get(tuple(entry[name][place] for name in ("visitor_id", "touch_id", "occurred_at")))
        yield ExplainedTouch(
            place=place + 1,
            **{name: entry[name][place] for name in ("touch_id", "visitor_id", "occurred_at", "channel", "source")},
            **{name: entry[name][place] for name in ("medium", "campaign", "content", "term")},
            landing_page=entry["landing_page"][place],
            referrer=entry["referrer"][place],
            owned_by=None if own is None else own["owned_by"],
            lead_id=None if own is None else own["lead"],
            identifier=None if own is None else own["value"],
        )


def _missing(found: DealEvidence) -> Iterator[Problem]:
    """Why nobody is credited, for an entry without touches."""
    if found.entry is None or found.entry["touch_id"][0] is not None:
        return
    leads: set[UUID] = {row["lead"] for row in found.people if row["lead"] is not None}
    unknown = {row["contact"] for row in found.people if row["lead"] is None}
    if not found.people:
        yield Problem(code="no_contacts", message="the deal names no contact, so nobody's touches were looked for")
    if unknown:
        told = f"contacts that are not known yet, since no event has named them: {len(unknown)}"
        yield Problem(code="unknown_contacts", message=told)
    if leads and found.outside:
        told = f"all touches of these leads lie outside of the window: {sum(row['touches'] for row in found.outside)}"
        yield Problem(code="outside_of_window", message=told)
    elif leads:
        told = "these leads own no touch at all: no visit with a page, no offline touch"
        yield Problem(code="no_touches", message=told)
