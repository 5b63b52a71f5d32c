"""The shapes of the answers about people."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.reports.answers import Answer, Deal, Instant, TouchSource

OwnedBy = Literal["identified", "earlier", "later"]
"""Why a visit is the lead's: somebody was identified in it; else in the last visit of that visitor before it that
identified one; else in the first after it."""

TouchOwnedBy = Literal["named", "earlier", "later"]
"""Why an offline touch is the lead's: it names the lead; else the lead owns the visitor's last visit at or before it,
else the first one."""


class Trait(Answer):
    """What a form or an identify call said of the person last."""

    value: Any
    at: Instant


class StageReached(Answer):
    """A stage that the lead came to."""

    stage: str
    at: Instant
    why: str
    holds: bool
    """Whether it is still there: a score fades, a deal is lost."""


class ScorePiece(Answer):
    """What one moment adds to the score."""

    part: str
    """By the setting's name."""
    at: Instant
    points: float


class Lead(Answer):
    """A person: the identifiers that events connected, what they said, and how far they have come."""

    lead_id: UUID
    identifiers: list[str]
    first_seen: Instant
    """When the person first did something: visits that later became theirs count."""
    last_seen: Instant
    first_channel: str | None
    """Of the first touch, like `first_source`; null without any."""
    first_source: str | None
    traits: dict[str, Trait]
    stage: str
    """The furthest of `stages` that holds."""
    stages: list[StageReached]
    score: float
    """As of the time of reading."""
    score_threshold: float
    """So much makes a lead marketing-qualified."""
    score_parts: list[ScorePiece]
    """They add up to the score."""


class Leads(Answer):
    """The lead of an e-mail address, or none."""

    leads: list[Lead]


class JourneyTouch(TouchSource):
    """A visit with a page, or an offline touch: that has no hits, and perhaps no visitor, which is then empty."""

    touch_id: str
    visitor_id: str
    occurred_at: Instant
    last_at: Instant
    hits: int


class VisitEntry(TouchSource):
    """A visit begins; `is_touch` when it has a page."""

    kind: Literal["visit"]
    at: Instant
    touch_id: str
    visitor_id: str
    last_at: Instant
    hits: int
    is_touch: bool
    owned_by: OwnedBy


class HitEntry(Answer):
    """A step of a visit, which is `touch_id`."""

    kind: Literal["hit"]
    at: Instant
    type: str
    event_id: str
    visitor_id: str
    touch_id: str
    url: str | None
    title: str | None
    name: str | None


class TouchEntry(Answer):
    """A call, a fair, a letter."""

    kind: Literal["touch"]
    at: Instant
    touch_id: str
    visitor_id: str | None
    name: str | None
    channel: str
    source: str
    medium: str
    campaign: str | None
    owned_by: TouchOwnedBy


class StatementEntry(Answer):
    """An event of the person outside of any visit: a form without consent, an opened e-mail, a server's call."""

    kind: Literal["statement"]
    at: Instant
    type: str
    event_id: str
    name: str | None


class IdentifierEntry(Answer):
    """An identifier is seen for the first time."""

    kind: Literal["identifier"]
    at: Instant
    identifier: str


class DealEntry(Answer):
    """A deal comes to a stage."""

    kind: Literal["deal"]
    at: Instant
    deal: str
    """`provider:deal_id`."""
    stage: str
    amount: str | None
    currency: str | None


Entry = Annotated[
    VisitEntry | HitEntry | TouchEntry | StatementEntry | IdentifierEntry | DealEntry, Field(discriminator="kind")
]


class Journey(Lead):
    """A lead's touches and deals, each in the order of time, and everything else that is known of it."""

    touches: list[JourneyTouch]
    deals: list[Deal]
    timeline: list[Entry]
    """A page of the history in the order of time: the last one, or the one before `before`."""
    before: str | None
    """Ask with this for the page before; null when there is none."""
