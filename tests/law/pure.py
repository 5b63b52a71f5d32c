"""Leads and visits by the product's pure functions alone: facts, components and fold, with lists for tables."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from identity.components import Identifier, Pair, Placement, place
from identity.facts import Facts, HitFact, facts_of
from identity.statements import StatementFact
from identity.visits import Hit, Visit, fold, owned
from schemas.codec import model_of
from schemas.event import HITS
from schemas.visit import Source
from tests.builders import ID_KEY
from tests.reference import Rows
from tests.reference.state import face


def pure_state(payloads: Iterable[dict[str, Any]]) -> Rows:
    """The parts `leads` and `visits` of the digest."""
    facts = facts_of(((model_of(payload), payload) for payload in payloads), ID_KEY, ())
    known = {seen.id: Identifier(*seen, lead=seen.id, shared=False) for seen in facts.seen}
    placed = place(known, {}, pairs_of(facts))
    leads: dict[UUID, list[str]] = {}
    for identifier, placement in sorted(placed.items(), key=lambda item: known[item[0]].value):
        leads.setdefault(placement.lead, []).append(known[identifier].value)
    faces = {lead: face(frozenset(names)) for lead, names in leads.items()}
    first_at = {seen.value: seen.first_at for seen in facts.seen}
    return {
        "leads": sorted(
            (names, [first_at[name] for name in names], known[lead].value) for lead, names in leads.items()
        ),
        "visits": [
            visit_row(visitor, visit, visit.owner and faces[placed[visit.owner].lead])
            for visitor, hits in sorted(hits_of(facts, placed).items())
            for visit in owned(fold(hits), None, None)
        ],
    }


def place_lead_by_lead(payloads: Iterable[dict[str, Any]]) -> tuple[dict[UUID, Placement], dict[UUID, Placement]]:
    """Where everybody belongs, decided at once; and decided for each lead by itself, with the others as outsiders."""
    facts = facts_of(((model_of(payload), payload) for payload in payloads), ID_KEY, ())
    known = {seen.id: Identifier(*seen, lead=seen.id, shared=False) for seen in facts.seen}
    pairs = pairs_of(facts)
    at_once = place(known, {}, pairs)
    alone: dict[UUID, Placement] = {}
    for lead in {placement.lead for placement in at_once.values()}:
        members = {each: known[each] for each, placement in at_once.items() if placement.lead == lead}
        around = {pair for pair in pairs if members.keys() & set(pair)}
        outsiders = {end: known[end] for pair in around for end in pair if end not in members}
        alone |= place(members, outsiders, around)
    return at_once, alone


def pairs_of(facts: Facts) -> set[Pair]:
    """The pairs that no unlink holds apart."""
    least: dict[tuple[UUID, str], StatementFact] = {}
    for statement in facts.statements:  # sorted: of one event id the least comes first
        least.setdefault(statement[:2], statement)
    taken = {(hit.visitor_id, hit.event_id): hit[2:4] for hit in reversed(facts.hits)}
    newest: dict[Pair, StatementFact] = {}
    for said in sorted(least.values(), key=lambda each: (each.occurred_at, each.event_id)):
        is_taken = said.visitor_id is not None and taken[said.visitor_id, said.event_id] != said[2:4]
        if said.a is not None and said.b is not None and not is_taken:
            newest[said.a, said.b] = said
    return set(facts.pairs) - {pair for pair, said in newest.items() if not said.undo}


def hits_of(facts: Facts, placed: Mapping[UUID, Placement]) -> dict[str, list[Hit]]:
    """By visitor the hits that count, in order."""
    counting: dict[tuple[str, str], HitFact] = {}
    for fact in facts.hits:  # sorted: of one event id the least comes first
        counting.setdefault(fact[:2], fact)
    hits: dict[str, list[Hit]] = {}
    for fact in counting.values():
        if fact.type in HITS and fact.kept_apart is None:
            hits.setdefault(fact.visitor_id, []).append(hit_of(fact, placed))
    return {
        visitor: sorted(theirs, key=lambda hit: (hit.occurred_at, hit.event_id)) for visitor, theirs in hits.items()
    }


def hit_of(fact: HitFact, placed: Mapping[UUID, Placement]) -> Hit:
    ids = fact.identifiers or []
    named = next((each for each in ids if not placed[each].shared), None)
    return Hit(
        occurred_at=fact.occurred_at,
        event_id=fact.event_id,
        internal=fact.internal,
        only_referrer=fact.only_referrer,
        url=fact.url,
        referrer=fact.referrer,
        source=None
        if fact.channel is None
        else Source(fact.channel, fact.source or "", fact.medium or "", fact.campaign, fact.content, fact.term),
        click_ids=tuple((name, value) for name, value in orjson.loads(fact.click_ids or "[]")),
        named=named,
        lead=placed[named].lead if named else None,
    )


def visit_row(visitor: str, visit: Visit, owner: str | None) -> tuple[Any, ...]:
    clicks = json.dumps(visit.click_ids) if visit.click_ids else None
    span = (visitor, visit.started_at, visit.touch_id, visit.last_at, visit.hits)
    return (*span, *visit.source, visit.landing_page, visit.referrer, clicks, owner)
