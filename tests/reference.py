"""The present state straight from the set of events, as the promise has it: slow, without a database, without an order.

Written from the promised behaviour and not from the services, to be compared with what they derive. It takes from them
only what has tests of its own: how identifiers are written, what a url and referrer mean, and what a deal says.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import rfc8785

from identity.channel import classify
from schemas.codec import model_of
from schemas.deal import ContactEvent, Deal, DealEvent, deal_of
from schemas.event import HITS, Event

Rows = dict[str, list[tuple[Any, ...]]]
SOURCE = ("channel", "source", "medium", "campaign", "content", "term")
DIRECT = ("Direct", "(direct)", "(none)", None, None, None)
HALF_HOUR, FOUR_HOURS, TWELVE_HOURS = timedelta(minutes=30), timedelta(hours=4), timedelta(hours=12)


def present_state(payloads: Iterable[dict[str, Any]], lookback: timedelta = timedelta(days=90)) -> Rows:
    """The rows of leads, visits, deals and credits, as the digest reads them."""
    records = [(model_of(payload), payload) for payload in payloads]
    lead_of, first_at = people(event for event, _ in records)
    visits = [visit for hits in histories(records).values() for visit in owned_visits(hits, lead_of)]
    deals = newest_deals(records)
    return {
        "leads": lead_rows(lead_of, first_at),
        "visits": sorted((visit_row(visit) for visit in visits), key=lambda row: (row[0], row[1], row[2])),
        "deals": [deal_row(deal, first_at) for deal in deals],
        "credits": [row for deal in deals for row in credit_rows(deal, visits, lead_of, lookback)],
    }


def people(events: Iterable[Event]) -> tuple[dict[str, frozenset[str]], dict[str, datetime]]:
    """Of every identifier its lead, empty for one that is shared by too many; and when it was first seen."""
    first_at: dict[str, datetime] = {}
    pairs: set[frozenset[str]] = set()
    for event in events:
        for names in named_together(event):
            for name in names:
                first_at[name] = min(first_at.get(name, event.occurred_at), event.occurred_at)
            pairs |= {frozenset(pair) for pair in combinations(names, 2)}
    shared = {name for name in first_at if is_shared(name, pairs)}
    groups = [{name} for name in first_at]
    for pair in pairs:
        if not pair & shared:
            joined = [group for group in groups if group & pair]
            groups = [group for group in groups if not group & pair] + [set[str]().union(*joined)]
    return {name: frozenset() if name in shared else frozenset(group) for group in groups for name in group}, first_at


def named_together(event: Event) -> list[tuple[str, ...]]:
    if isinstance(event, DealEvent):
        return [contact.identifiers(event.provider) for contact in event.person.contacts]
    return [event.person.identifiers(event.provider if isinstance(event, ContactEvent) else None)]


def is_shared(name: str, pairs: set[frozenset[str]]) -> bool:
    partners = [next(iter(pair - {name})) for pair in pairs if name in pair]
    if not name.startswith("email:"):
        return sum(partner.startswith("email:") for partner in partners) > 5
    kinds = [
        partner.rpartition(":")[0] if partner.startswith("crm:") else partner.partition(":")[0] for partner in partners
    ]
    return any(kinds.count(kind) > 5 for kind in kinds)


def histories(records: Sequence[tuple[Event, dict[str, Any]]]) -> dict[str, list[Event]]:
    """By visitor the hits that count, in order."""
    counting: dict[tuple[str, str], tuple[datetime, bytes, Event]] = {}
    for event, payload in records:
        if event.visitor_id is not None and not isinstance(event, DealEvent | ContactEvent):
            place, record = (event.visitor_id, event.event_id), (event.occurred_at, rank(payload), event)
            counting[place] = min(counting.get(place, record), record, key=lambda each: each[:2])
    hits: dict[str, list[Event]] = {}
    for (visitor, _), (*_, event) in sorted(counting.items(), key=lambda item: (item[1][0], item[0][1])):
        if event.type in HITS:
            hits.setdefault(visitor, []).append(event)
    return hits


def rank(payload: dict[str, Any]) -> bytes:
    return hashlib.sha256(rfc8785.dumps({name: payload[name] for name in payload if name != "received_at"})).digest()


def owned_visits(hits: Sequence[Event], lead_of: dict[str, frozenset[str]]) -> list[dict[str, Any]]:
    """The visits of one visitor, each with the lead that owns it."""
    visits: list[dict[str, Any]] = []
    for hit in hits:
        lead = next((lead_of[name] for name in hit.person.identifiers() if lead_of[name]), None)
        source = tuple(classify(hit.url, hit.referrer)[field] for field in SOURCE)
        own = source if source[0] not in {"Direct", "Internal"} else None
        start = starts(visits[-1] if visits else None, hit, own, lead)
        if start is not None:
            visits.append({"hits": [], "clicks": [], "lead": None, **start})
        visit = visits[-1]
        visit["hits"].append(hit)
        visit["lead"] = visit["lead"] or lead
        visit["clicks"] += [click for click in clicks_of(hit) if click not in visit["clicks"]]
    for place, visit in enumerate(visits):
        earlier = [other["lead"] for other in visits[: place + 1] if other["lead"]]
        later = [other["lead"] for other in visits[place:] if other["lead"]]
        visit["owner"] = earlier[-1] if earlier else later[0] if later else None
    return visits


def starts(visit: dict[str, Any] | None, hit: Event, own: Any, lead: frozenset[str] | None) -> dict[str, Any] | None:
    """How the hit starts a visit, if it does."""
    started = {"source": own or DIRECT, "compared": own or DIRECT}
    if visit is None:
        return started
    previous, first = visit["hits"][-1], visit["hits"][0]
    patience = FOUR_HOURS if classify(path_of(hit.url), hit.referrer)["channel"] == "Internal" else HALF_HOUR
    if hit.occurred_at - previous.occurred_at > patience or hit.occurred_at - first.occurred_at > TWELVE_HOURS:
        return started
    is_tagged = any(mark in (hit.url or "") for mark in ("utm_", "gclid="))
    if own is not None and (is_tagged or hit.referrer != previous.referrer) and own != visit["compared"]:
        return started
    if lead is not None and visit["lead"] is not None and lead != visit["lead"]:
        return {"source": DIRECT, "compared": visit["compared"]}
    return None


def path_of(url: str | None) -> str | None:
    return url and url.partition("?")[0]


def clicks_of(hit: Event) -> list[list[str]]:
    return [["gclid", value.partition("&")[0]] for value in (hit.url or "").split("gclid=")[1:]]


def newest_deals(records: Sequence[tuple[Event, dict[str, Any]]]) -> list[Deal]:
    counting: dict[tuple[str, str], tuple[datetime, bytes, DealEvent]] = {}
    for event, payload in records:
        if isinstance(event, DealEvent):
            place, record = (event.provider, event.event_id), (event.occurred_at, rank(payload), event)
            counting[place] = min(counting.get(place, record), record, key=lambda each: each[:2])
    newest: dict[tuple[str, str], Deal] = {}
    for *_, event in sorted(counting.values(), key=lambda each: (each[2].updated_at, each[2].event_id)):
        newest[event.provider, event.deal_id] = deal_of(event, ZoneInfo("UTC"))
    return [newest[key] for key in sorted(newest)]


def credit_rows(
    deal: Deal, visits: Sequence[dict[str, Any]], lead_of: dict[str, frozenset[str]], lookback: timedelta
) -> list[tuple[Any, ...]]:
    if deal.stage != "won" or deal.closed_at is None:
        return []
    leads = {lead_of[name] for name in deal.contacts if lead_of.get(name)}
    begun = min(deal.created_at or deal.closed_at, deal.closed_at)
    touches = [
        row
        for visit in visits
        if visit["owner"] in leads
        for row in [visit_row(visit)]
        if row[11] is not None and row[1] <= deal.closed_at and begun - row[1] <= lookback
    ]
    touches.sort(key=lambda row: (row[1], row[2], row[0]))
    columns = [[row[at] for row in touches] for at in (0, 2, 1, 5, 6, 7, 8, 9, 10, 11, 12)] if touches else UNATTRIBUTED
    head = (deal.provider, deal.deal_id)
    state = (deal.amount, deal.currency, deal.created_at, deal.closed_at, deal.owner, *columns)
    models = shares_of(len(touches) or 1)
    return [
        (*head, model, *state, divide(deal.amount, models[model]), [float(share) for share in models[model]])
        for model in sorted(models)
    ]


UNATTRIBUTED = [[None]] * 3 + [["Unattributed"], ["(not set)"], ["(not set)"]] + [[None]] * 5


def shares_of(count: int) -> dict[str, list[Fraction]]:
    whole, none = Fraction(1), Fraction(0)
    even = [Fraction(1, count)] * count
    ends = even if count < 3 else [Fraction(2, 5), *[Fraction(1, 5) / (count - 2)] * (count - 2), Fraction(2, 5)]
    first = [whole] + [none] * (count - 1)
    return {"first_touch": first, "last_touch": first[::-1], "linear": even, "position_based": ends}


def divide(amount: int, shares: Sequence[Fraction]) -> list[int]:
    """Cent by cent to whoever is furthest below the exact part, once all have their whole cents."""
    parts = [amount * share // 1 for share in shares]
    while sum(parts) < amount:
        missing = [amount * share - part for share, part in zip(shares, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return parts


def lead_rows(lead_of: dict[str, frozenset[str]], first_at: dict[str, datetime]) -> list[tuple[Any, ...]]:
    groups = sorted({tuple(sorted(lead or {name})) for name, lead in lead_of.items()})
    return [
        (list(group), [first_at[name] for name in group], min(group, key=lambda name: (first_at[name], name)))
        for group in groups
    ]


def visit_row(visit: dict[str, Any]) -> tuple[Any, ...]:
    hits = visit["hits"]
    return (
        *(hits[0].visitor_id, hits[0].occurred_at, hits[0].event_id, hits[-1].occurred_at, len(hits), *visit["source"]),
        next((hit.url for hit in hits if hit.url is not None), None),
        hits[0].referrer,
        json.dumps(visit["clicks"]) if visit["clicks"] else None,
        visit["owner"] and hashlib.sha256(json.dumps(sorted(visit["owner"])).encode()).hexdigest(),
    )


def deal_row(deal: Deal, first_at: dict[str, datetime]) -> tuple[Any, ...]:
    return (
        *(deal.provider, deal.deal_id, deal.stage.value, deal.amount, deal.currency, deal.created_at, deal.closed_at),
        *(
            deal.owner,
            deal.updated_at,
            [name for name in sorted(deal.contacts) if name in first_at],
            len(deal.contacts),
        ),
    )
