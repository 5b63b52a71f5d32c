"""`closedloop explain-lead`: what makes a lead one person, and why its visits are its own, as a page of text."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from schemas.identifier import identifier_id, parse_identifier
from services.reports.lead_answers import Lead, StageReached
from services.reports.lead_store import LeadStore
from services.reports.leads import Evidence, LeadFacts, lead_of
from services.reports.questions import Refusal
from services.reports.rows import Row
from services.reports.text_page import table_text
from services.runtime.postgres import Database
from services.runtime.settings import Settings

LINES = 200
"""Of each kind at most; the API has them all."""

RULES = {
    "identified": "it was identified in it",
    "earlier": "the last identified before it",
    "later": "the first identified after it",
}
RULES_OF_TOUCHES = {
    "named": "the touch names it",
    "earlier": "owns the last visit before it",
    "later": "owns the visitor's first visit",
}


async def explain_lead(database: Database, settings: Settings, who: str, now: datetime) -> str:
    """The lead with this id or identifier, such as `email:ann@example.org`. Raises Refusal when nobody has it."""
    found = await LeadStore(database).evidence(id_of(who, settings.id_key.get_secret_value()), LINES)
    if found is None:
        raise _no_lead(who)
    facts, evidence = found
    return explanation(lead_of(facts, settings.score, now), facts, evidence)


def id_of(who: str, key: str) -> UUID:
    """The keyed id that somebody means: the id itself, an identifier with its kind, or a bare e-mail address."""
    identifier = parse_identifier(who) or parse_identifier(f"email:{who}")
    if identifier is not None:
        return identifier_id(identifier, key)
    try:
        return UUID(who)
    except ValueError as error:
        raise _no_lead(who) from error


def explanation(lead: Lead, facts: LeadFacts, evidence: Evidence) -> str:
    """The page."""
    sections = (
        ("Stages", table_text(("stage", "since (UTC)", "why"), map(_stage, lead.stages))),
        (
            f"Score {lead.score:g}, {lead.score_threshold:g} make a lead marketing-qualified",
            table_text(
                ("part", "at (UTC)", "points"), ((e.part, _time(e.at), f"{e.points:.2f}") for e in lead.score_parts)
            ),
        ),
        (
            "Identifiers",
            table_text(
                ("identifier", "id", "first carried (UTC)"),
                ((row["value"], str(row["identifier"]), _time(row["first_at"])) for row in facts.members),
            ),
        ),
        (
            "Joined, by the first event that carried both",
            table_text(("identifiers", "event", "at (UTC)"), _joins(evidence)),
        ),
        ("Refused", table_text(("identifiers", "why"), _refusals(evidence))),
        ("Visits and offline touches", table_text(_OWNED, map(_owned, reversed(evidence.owned)))),
    )
    lines = [
        f"Lead {lead.lead_id} is {lead.stage}",
        f"Seen from {_time(lead.first_seen)} to {_time(lead.last_seen)} UTC"
        + (f", first from {lead.first_source} ({lead.first_channel})" if lead.first_source else ""),
    ]
    for title, table in sections:
        lines += ["", title, table or "  none"]
    return "\n".join(lines)


_OWNED = ("when (UTC)", "visitor", "channel", "source / medium", "page or name", "the lead's because")


def _stage(reached: StageReached) -> tuple[str, ...]:
    return reached.stage, _time(reached.at), reached.why + ("" if reached.holds else "; it no longer holds")


def _joins(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    for row in evidence.joins:
        yield f"{row['one']} + {row['other']}", f"{row['type']} {row['event_id']}", _time(row["occurred_at"])


def _refusals(evidence: Evidence) -> Iterator[tuple[str, ...]]:
    shared: dict[UUID, str] = {}
    for row in evidence.partners:
        if (row["kind"] == "email") != row["value"].startswith("email:"):
            shared.setdefault(row["identifier"], _shared(row))
    for row in evidence.refusals:
        yield f"{row['own']} + {row['other']}", shared[row["shared"]]
    for row in evidence.stand_ins:
        yield row["value"], f"is nobody's id; {row['type']} {row['event_id']} of {_time(row['occurred_at'])} gave it"
    for row in evidence.unlinked:
        yield (
            f"{row['one']} + {row['other']}",
            f"held apart by the unlink {row['event_id']} of {_time(row['occurred_at'])}",
        )


def _shared(row: Row) -> str:
    kinds = {"email": "e-mails", "user": "user ids"}
    partners = kinds.get(row["kind"], f"contact ids of {row['kind'].removeprefix('crm:')}")
    return f"{row['value']} is shared, it was seen with {row['partners']} {partners}: it connects and names nobody"


def _owned(row: Row) -> tuple[str, ...]:
    return (
        _time(row["occurred_at"]),
        row["visitor_id"] or "-",
        row["channel"],
        f"{row['source']} / {row['medium']}",
        row["place"] or "-",
        (RULES if row["is_visit"] else RULES_OF_TOUCHES)[row["owned_by"]],
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _no_lead(who: str) -> Refusal:
    hint = "name one as email:ann@example.org, user:42 or crm:hubspot:901, or by its id"
    return Refusal(404, "lead_not_found", f"there is no lead {who!r}; {hint}")
