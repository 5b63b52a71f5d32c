"""Rows of the state, written straight into the tables: for tests of what reads them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from schemas.credit import MODELS as KEPT
from schemas.credit import UNATTRIBUTED
from schemas.identifier import identifier_id
from schemas.instant import parse_instant
from schemas.visit import DIRECT, Source
from services.runtime.postgres import Database

ID_KEY = "the key of the tests, 16+"
ADMIN_TOKEN = "the admin token of the tests"

PAID = Source("Paid Search", "google", "cpc", "spring")
MAIL = Source("Email", "newsletter", "email", "march")

MODELS = dict.fromkeys(KEPT, lambda count: [1 / count] * count) | {
    "first_touch": lambda count: [1.0] + [0.0] * (count - 1),
    "last_touch": lambda count: [0.0] * (count - 1) + [1.0],
    "linear": lambda count: [1 / count] * count,
    "position_based": lambda count: (
        [1.0] if count == 1 else [0.5, 0.5] if count == 2 else [0.4, *[0.2 / (count - 2)] * (count - 2), 0.4]
    ),
}


def at(text: str) -> datetime:
    """`2026-03-01`, or with a time: `2026-03-01 09:30`."""
    return parse_instant(f"{text if ' ' in text else text + ' 12:00'}:00Z")


def id_of(identifier: str) -> UUID:
    return identifier_id(identifier, ID_KEY)


@dataclass(frozen=True)
class Visit:
    """A visit with a page; `owner` is an identifier."""

    visitor: str
    time: str
    source: Source = DIRECT
    owner: str | None = None
    landing_page: str | None = "https://shop.example/"
    referrer: str | None = None

    @property
    def touch_id(self) -> str:
        return f"{self.visitor} at {self.time}"


@dataclass(frozen=True)
class Deal:
    """A deal and the journey it is credited to; without visits it is unattributed."""

    deal_id: str
    amount: int = 10_000
    closed: str | None = "2026-03-10"
    stage: str = "won"
    currency: str = "EUR"
    provider: str = "webhook"
    owner: str | None = None
    contacts: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()


async def put_lead(database: Database, *identifiers: str, first_seen: str = "2026-01-01") -> UUID:
    """A lead of these identifiers; the first was seen first and names it."""
    lead = id_of(identifiers[0])
    for place, value in enumerate(identifiers):
        await database.execute(
            "INSERT INTO identifiers (id, value, first_at, lead, settled) VALUES ($1, $2, $3, $4, true)",
            id_of(value), value, at(first_seen) + timedelta(hours=place), lead,
        )  # fmt: skip
    return lead


async def put_visit(database: Database, visit: Visit) -> None:
    source = visit.source
    await database.execute("INSERT INTO visitors (visitor_id) VALUES ($1) ON CONFLICT DO NOTHING", visit.visitor)
    await database.execute(
        "INSERT INTO visits (visitor, started_at, touch_id, last_at, hits, channel, source, medium, campaign, content, term,"
        " landing_page, referrer, owner) VALUES ((SELECT number FROM visitors WHERE visitor_id = $1), $2::timestamptz, $3, $2,"
        " 1, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        visit.visitor, at(visit.time), visit.touch_id, source.channel, source.source, source.medium, source.campaign,
        source.content, source.term, visit.landing_page, visit.referrer, id_of(visit.owner) if visit.owner else None,
    )  # fmt: skip


async def put_deal(database: Database, deal: Deal) -> None:
    """The deal, and when it is won its entry in the ledger with the credits of every model."""
    closed = at(deal.closed) if deal.closed else None
    await database.execute(
        "INSERT INTO deals (provider, deal_id, stage, amount, currency, created_at, closed_at, owner, contacts, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6::timestamptz, $6, $7, $8, coalesce($6, '2026-01-01'))",
        deal.provider, deal.deal_id, deal.stage, deal.amount, deal.currency, closed, deal.owner,
        [id_of(contact) for contact in deal.contacts],
    )  # fmt: skip
    if deal.stage == "won":
        await put_entry(database, deal)


async def put_entry(
    database: Database, deal: Deal, *, version: int = 1, recorded: str = "2026-03-10 13:00", until: str | None = None
) -> None:
    """One entry of the ledger, from `recorded` on and, where given, until it was superseded."""
    journey: list[Any] = list(deal.visits) or [None]
    sources = [visit.source if visit else UNATTRIBUTED for visit in journey]
    columns = {
        "visitor_id": [visit and visit.visitor for visit in journey],
        "touch_id": [visit and visit.touch_id for visit in journey],
        "occurred_at": [visit and at(visit.time).isoformat() for visit in journey],
        **{
            name: [getattr(source, name) for source in sources]
            for name in ("channel", "source", "medium", "campaign", "content", "term")
        },
        "landing_page": [visit and visit.landing_page for visit in journey],
        "referrer": [visit and visit.referrer for visit in journey],
    }
    row = columns | {
        "provider": deal.provider, "deal_id": deal.deal_id, "version": version, "amount": deal.amount,
        "currency": deal.currency, "created_at": at(deal.closed or "").isoformat(),
        "closed_at": at(deal.closed or "").isoformat(), "owner": deal.owner, "touches": len(journey),
        "cause": "deal changed", "recorded_at": at(recorded).isoformat(),
        "superseded_at": at(until).isoformat() if until else None,
        "superseded_cause": "deal changed" if until else None, "credited_by": "linear",
    }  # fmt: skip
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO entries SELECT * FROM jsonb_populate_record(NULL::entries, $1::jsonb)",
            orjson.dumps(row).decode(),
        )
        for model, shares_of in MODELS.items():
            shares = shares_of(len(journey))
            await connection.execute(
                "INSERT INTO credits VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                deal.provider, deal.deal_id, version, model, deal.amount, len(journey), _split(deal.amount, shares),
                shares,
            )  # fmt: skip


def _split(amount: int, shares: list[float]) -> list[int]:
    """Whole minor units; the first takes what rounding leaves."""
    parts = [int(amount * share) for share in shares]
    return [parts[0] + amount - sum(parts), *parts[1:]]


async def put_all(database: Database, *things: Visit | Deal) -> None:
    for thing in things:
        await (put_visit(database, thing) if isinstance(thing, Visit) else put_deal(database, thing))


def owned(visit: Visit, owner: str) -> Visit:
    return replace(visit, owner=owner)
