"""How far a lead has come: pure. Nothing is stored, so a stage follows from what is known at the time of reading."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

STAGES = ("visitor", "lead", "marketing-qualified", "sales-qualified", "opportunity", "customer")
"""In this order; a lead may pass over some."""


class Reached(NamedTuple):
    """A stage that a lead came to."""

    stage: str
    at: datetime
    why: str
    holds: bool
    """Whether it is still there: a score fades, a deal is lost."""


class Known(NamedTuple):
    """An identifier of the lead, and when an event carried it first."""

    value: str
    at: datetime


class Business(NamedTuple):
    """A deal that names the lead, as its newest version has it; a deleted one is none."""

    address: str
    stage: str
    began_at: datetime
    closed_at: datetime | None


class Scored(NamedTuple):
    """When the score first reached the threshold, and whether it does now."""

    at: datetime | None
    enough: bool
    threshold: float


def stages_of(
    first_visit: datetime | None, identifiers: Sequence[Known], scored: Scored, deals: Sequence[Business]
) -> list[Reached]:
    """The stages that a lead reached, in their order. `identifiers` are at least one."""
    return list(_stages(first_visit, identifiers, scored, deals))


def present_stage(reached: Sequence[Reached]) -> str:
    """The furthest that holds."""
    return [each.stage for each in reached if each.holds][-1]


def _stages(
    first_visit: datetime | None, identifiers: Sequence[Known], scored: Scored, deals: Sequence[Business]
) -> Iterator[Reached]:
    if first_visit is not None:
        yield Reached("visitor", first_visit, "its first visit", holds=True)
    name = min(identifiers, key=_first)
    yield Reached("lead", name.at, f"first named as {name.value}", holds=True)
    if scored.at is not None:
        yield Reached("marketing-qualified", scored.at, f"its score reached {scored.threshold:g}", scored.enough)
    began = min(((deal.began_at, deal.address) for deal in deals), default=None)
    known = [(each.at, f"known to the CRM as {each.value}") for each in identifiers if each.value.startswith("crm:")]
    if began is not None:
        known.append((began[0], f"contact of deal {began[1]}"))
    if known:
        at, why = min(known)
        yield Reached("sales-qualified", at, why, holds=True)
    if began is not None:
        alive = any(deal.stage in {"open", "won"} for deal in deals)
        yield Reached("opportunity", began[0], f"deal {began[1]}", holds=alive)
    won = min(
        ((deal.closed_at, deal.address) for deal in deals if deal.stage == "won" and deal.closed_at), default=None
    )
    if won is not None:
        yield Reached("customer", won[0], f"deal {won[1]} was won", holds=True)


def _first(known: Known) -> tuple[datetime, str]:
    return known.at, known.value
