"""The whole present state of a set of events, as rows like those that the digest reads."""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.credit import MODELS as KEPT
from schemas.deal import Deal, Stage
from tests.reference.counting import records_of, that_count
from tests.reference.deals import Journey, journey_of, newest_deals, touches_of
from tests.reference.models import divided, shares_of
from tests.reference.money import rate_rows, spend_rows
from tests.reference.offline import OfflineTouch, offline_touches_of
from tests.reference.people import People, Person, people_of
from tests.reference.visits import Visit, click_ids, visits_of

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]

UTC = ZoneInfo("UTC")
UNATTRIBUTED = [[None]] * 3 + [["Unattributed"], ["(not set)"], ["(not set)"]] + [[None]] * 5


def present_state(payloads: Iterable[dict[str, Any]], lookback: timedelta = timedelta(days=90)) -> Rows:
    """By part of the digest its rows, in its order."""
    records = records_of(payloads)
    counting = that_count(records)
    people = people_of(records, counting)
    visits = visits_of(counting, people)
    offline = offline_touches_of(counting, people, visits)
    touches = touches_of(visits, offline)
    deals = newest_deals(counting, UTC)
    journeys = [journey_of(deal, touches, people, counting, lookback) for deal in deals if deal.stage is Stage.won]
    return {
        "leads": lead_rows(people),
        "visits": [visit_row(visit) for visit in visits],
        "offline_touches": sorted(map(offline_row, offline), key=nulls_last),
        "deals": [deal_row(deal) for deal in deals],
        "spend": spend_rows(counting),
        "rates": rate_rows(counting),
        "credits": [row for journey in journeys for row in credit_rows(journey)],
    }


def lead_rows(people: People) -> list[Row]:
    """A lead as its sorted identifiers, when each was first seen, and the earliest of them, which names it."""
    return [
        (names, [people.first_at[name] for name in names], min(names, key=lambda name: (people.first_at[name], name)))
        for names in sorted(sorted(lead) for lead in set(people.lead.values()))
    ]


def visit_row(visit: Visit) -> Row:
    first, last, clicks = visit.hits[0], visit.hits[-1], click_ids(visit)
    return (
        *(first.visitor_id, first.occurred_at, first.event_id, last.occurred_at, len(visit.hits), *visit.source),
        next((hit.url for hit in visit.hits if hit.url is not None), None),
        first.referrer,
        json.dumps(clicks) if clicks else None,
        face(visit.owner),
    )


def offline_row(touch: OfflineTouch) -> Row:
    event = touch.event
    return (
        event.occurred_at,
        event.event_id,
        event.visitor_id or "",
        event.name,
        *touch.source[:4],
        face(touch.owner),
    )


def deal_row(deal: Deal) -> Row:
    return (
        *(deal.provider, deal.deal_id, deal.stage.value, deal.amount, deal.currency, deal.created_at, deal.closed_at),
        *(deal.owner, deal.updated_at, sorted(deal.contacts), len(deal.contacts)),
    )


def credit_rows(journey: Journey) -> list[Row]:
    """A row for each model that the product keeps: the journey in columns, and the model's amounts and shares."""
    deal = journey.deal
    columns: list[Any] = [
        list(column)
        for column in zip(
            *(
                (each.visitor_id, each.touch_id, each.occurred_at, *each.source, each.landing_page, each.referrer)
                for each in journey.touches
            ),
            strict=True,
        )
    ]
    head = (deal.amount, deal.currency, deal.created_at, deal.closed_at, deal.owner, *(columns or UNATTRIBUTED))
    found = {model: shares_of(model, journey) for model in sorted(KEPT)}
    return [
        (deal.provider, deal.deal_id, model, *head, divided(deal.amount, shares), list(map(float, shares)))
        for model, shares in found.items()
    ]


def face(lead: Person | None) -> str | None:
    """A lead as the digest writes it: the hash of its sorted identifiers, as Postgres writes a JSON array."""
    return lead and hashlib.sha256(json.dumps(sorted(lead), ensure_ascii=False).encode()).hexdigest()


def nulls_last(row: Row) -> list[tuple[bool, Any]]:
    """As Postgres orders rows."""
    return [(value is None, value) for value in row]
