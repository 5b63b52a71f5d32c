"""The record of a lead: pure. What the store found and the time of reading in, the answer out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from schemas.identifier import email_identifier
from schemas.score import ScoreRules
from services.reports.lead_answers import Journey, JourneyTouch, Lead, ScorePiece, StageReached, Trait
from services.reports.rows import Row, deal_address, deal_of
from services.reports.score import Moment, pieces_of, reached_at, reaches, total_of
from services.reports.stages import Business, Known, Scored, present_stage, stages_of
from services.reports.timeline import page_of

NO_TRAITS = frozenset(
    {"email", "e-mail", "mail", "user_email", "user_id", "userid", "id", "previous_id", "anonymousid", "anonymous_id"}
)
"""Names, in lower case, under which forms and calls carry identifiers."""


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What the store found of one lead, at one instant."""

    members: Sequence[Row]
    """Its identifiers."""
    seen: Row
    first_touch: Row | None
    traits: Sequence[Row]
    moments: Sequence[Moment]
    """In the order of time, like the deals."""
    deals: Sequence[Row]

    @property
    def lead_id(self) -> UUID:
        lead: UUID = self.members[0]["lead"]
        return lead


@dataclass(frozen=True, slots=True)
class History:
    """A lead's touches in the order of time, and a part of its timeline, newest first."""

    touches: Sequence[Row]
    timeline: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why identifiers and visits are a lead's, and others are not."""

    joins: Sequence[Row]
    """Two identifiers and the event that carried both first."""
    refusals: Sequence[Row]
    """Two that an event carried, one of which is shared."""
    partners: Sequence[Row]
    """With how many others of each kind those were seen."""
    stand_ins: Sequence[Row]
    """What an event gave beside them that is no identifier."""
    unlinked: Sequence[Row]
    """Two that are held apart, and the event that says so."""
    owned: Sequence[Row]
    """Visits and offline touches, newest first."""


def lead_of(facts: LeadFacts, rules: ScoreRules, now: datetime) -> Lead:
    """The record as it is read at `now`, which only fades the score."""
    identifiers = [member["value"] for member in facts.members]
    first_named = min(member["first_at"] for member in facts.members)
    pieces = pieces_of(rules, facts.moments, now)
    scored = Scored(reached_at(rules, facts.moments, now), reaches(rules, total_of(pieces)), rules.threshold)
    stages = stages_of(
        facts.seen["first_visit"],
        [Known(member["value"], member["first_at"]) for member in facts.members],
        scored,
        [Business(deal_address(deal), deal["stage"], deal["began_at"], deal["closed_at"]) for deal in facts.deals],
    )
    return Lead(
        lead_id=facts.lead_id,
        identifiers=identifiers,
        first_seen=facts.seen["first_at"] or first_named,
        last_seen=facts.seen["last_at"] or first_named,
        first_channel=facts.first_touch["channel"] if facts.first_touch else None,
        first_source=facts.first_touch["source"] if facts.first_touch else None,
        traits=traits_of(facts.traits, identifiers),
        stage=present_stage(stages),
        stages=[StageReached(**each._asdict()) for each in stages],
        score=total_of(pieces) / 100,
        score_threshold=rules.threshold,
        score_parts=[ScorePiece(part=each.part, at=each.at, points=each.hundredths / 100) for each in pieces],
    )


def journey_of(facts: LeadFacts, history: History, limit: int, lead: Lead) -> Journey:
    """The lead with its history; of its timeline a page of `limit` entries."""
    timeline, before = page_of(history.timeline, limit)
    return Journey(
        **dict(lead),
        touches=[
            JourneyTouch(**{name: touch[name] for name in JourneyTouch.model_fields}) for touch in history.touches
        ],
        deals=[deal_of(deal) for deal in facts.deals],
        timeline=timeline,
        before=before,
    )


def traits_of(rows: Sequence[Row], identifiers: Collection[str]) -> dict[str, Trait]:
    """The traits by name, without what is an identifier: the lead has a list of those."""
    said = ((row["name"], orjson.loads(row["value"]), row["at"]) for row in rows)
    return {
        name: Trait(value=value, at=at) for name, value, at in said if not _names_somebody(name, value, identifiers)
    }


def _names_somebody(name: str, value: Any, identifiers: Collection[str]) -> bool:
    return name.lower() in NO_TRAITS or email_identifier(value) in identifiers
