"""The attributor's tables: every statement it runs, and rows to values and back. Decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from attributor.journey import Entry
from schemas.credit import UNATTRIBUTED, Cause, Credits
from schemas.deal import DealState, Stage
from schemas.instant import format_instant
from schemas.note import Note
from schemas.visit import Source, Touch
from services.runtime.postgres import Connection, Database, Record, columns, load_queries

QUERIES = load_queries("attributor")

DealKey = tuple[str, str]
"""Provider and deal id."""


class DealFact(NamedTuple):
    """One record of a deal's version, as the table has it."""

    provider: str
    event_id: str
    occurred_at: datetime
    rank: UUID
    deal_id: str
    stage: str
    amount: int
    currency: str | None
    created_at: datetime | None
    closed_at: datetime | None
    owner: str | None
    contacts: str
    """Ids, separated by commas; arrays of arrays do not pass through unnest."""
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What the ledger held of a deal, what it should hold, and why it changes."""

    deal: DealKey
    held: Entry | None
    due: Entry | None
    cause: Cause


async def add_deal_events(database: Database, facts: Sequence[DealFact]) -> None:
    """Store the facts, and rows to lock, and commit, so that whoever derives from now on sees them. Not yet on disk."""
    async with database.transaction(durable=False) as connection:
        await connection.execute(QUERIES.add_deal_events, *columns(facts))
        await connection.execute(QUERIES.add_deals, *columns([(fact.provider, fact.deal_id) for fact in facts]))


async def concerned_deals(connection: Connection, facts: Sequence[DealFact]) -> list[DealKey]:
    """Deals whose newest version these records may change, whether they were new or not."""
    rows = await connection.fetch(QUERIES.concerned_deals, *columns([fact[:2] for fact in facts]))
    return sorted((row["provider"], row["deal_id"]) for row in rows)


async def lock_deals(connection: Connection, deals: Sequence[DealKey]) -> None:
    """Keep others from crediting these deals until the transaction ends."""
    await connection.fetch(QUERIES.lock_deals, *columns(deals))


async def put_newest_versions(connection: Connection, deals: Sequence[DealKey]) -> None:
    """Lock these deals and bring them in line with their versions."""
    await lock_deals(connection, deals)
    await connection.execute(QUERIES.put_newest_versions, *columns(deals))


async def deal_states(connection: Connection, deals: Sequence[DealKey]) -> dict[DealKey, DealState]:
    """The deals as they stand; one that was never there is missing."""
    rows = await connection.fetch(QUERIES.deals_by_id, *columns(deals))
    states = (DealState(**{**row, "stage": Stage(row["stage"])}) for row in map(dict, rows))
    return {state.key: state for state in states}


async def journeys(
    connection: Connection, windows: Mapping[DealKey, tuple[datetime, datetime]]
) -> dict[DealKey, list[Touch]]:
    """The candidates of each deal within its window, in the journey's order."""
    found: dict[DealKey, list[Touch]] = {deal: [] for deal in windows}
    if windows:
        rows = [(*deal, *window) for deal, window in windows.items()]
        for row in await connection.fetch(QUERIES.journeys, *columns(rows)):
            found[row["provider"], row["deal_id"]].append(_touch(row))
    return found


async def current_entries(connection: Connection, deals: Sequence[DealKey]) -> dict[DealKey, Entry]:
    """What the ledger holds of these deals now."""
    amounts: dict[DealKey, dict[str, tuple[int, ...]]] = {}
    for row in await connection.fetch(QUERIES.current_credits, *columns(deals)):
        amounts.setdefault((row["provider"], row["deal_id"]), {})[row["model"]] = tuple(row["amounts"])
    rows = await connection.fetch(QUERIES.current_entries, *columns(deals))
    return {deal: _entry(row, amounts[deal]) for row in rows for deal in [(row["provider"], row["deal_id"])]}


async def correct(connection: Connection, corrections: Sequence[Correction]) -> None:
    """Close what the ledger held and add what it should hold; the database refuses credits that do not sum up."""
    if not corrections:
        return
    at = await connection.fetchval(QUERIES.ledger_time)
    closed = [(*each.deal, each.cause.value) for each in corrections if each.held is not None]
    if closed:
        await connection.execute(QUERIES.close_entries, at, *columns(closed))
    due = [(each.deal, each.due, each.cause) for each in corrections if each.due is not None]
    if due:
        rows = await connection.fetch(QUERIES.last_versions, *columns([deal for deal, _, _ in due]))
        last = {(row["provider"], row["deal_id"]): row["version"] for row in rows}
        numbered = [(deal, last.get(deal, 0) + 1, entry, cause) for deal, entry, cause in due]
        await connection.execute(QUERIES.add_entries, at, _json(_entry_row(*each) for each in numbered))
        await connection.execute(
            QUERIES.add_credits,
            _json(
                _credit_row(deal, version, entry, part)
                for deal, version, entry, _ in numbered
                for part in entry.credits
            ),
        )


async def note_deals(connection: Connection, notes: Sequence[Note], lookback: timedelta) -> None:
    """Of notes about leads and touches make notes about the deals they concern."""
    causes = Cause.leads_changed.value, Cause.touch_arrived.value
    await connection.execute(QUERIES.note_deals, *columns([note[1:] for note in notes]), lookback, *causes)


def noted_deals(notes: Iterable[Note]) -> dict[DealKey, Cause]:
    """The deals of these notes, and why each is to be credited anew; that its leads changed says the most."""
    deals: dict[DealKey, Cause] = {}
    for note in notes:
        provider, deal_id, cause = orjson.loads(note.key)
        if deals.get((provider, deal_id)) is not Cause.leads_changed:
            deals[provider, deal_id] = Cause(cause)
    return deals


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows)).decode()


def _touch(row: Record | dict[str, Any]) -> Touch:
    return Touch(
        visitor_id=row["visitor_id"],
        touch_id=row["touch_id"],
        occurred_at=row["occurred_at"],
        source=Source(row["channel"], row["source"], row["medium"], row["campaign"], row["content"], row["term"]),
        landing_page=row["landing_page"],
        referrer=row["referrer"],
    )


_TOUCH_COLUMNS = (
    *("visitor_id", "touch_id", "occurred_at", "channel", "source", "medium", "campaign", "content", "term"),
    *("landing_page", "referrer"),
)


def _entry(row: Record, amounts: Mapping[str, tuple[int, ...]]) -> Entry:
    touches = (
        dict(zip(_TOUCH_COLUMNS, cells, strict=True)) for cells in zip(*(row[c] for c in _TOUCH_COLUMNS), strict=True)
    )
    return Entry(
        amount=row["amount"],
        currency=row["currency"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        owner=row["owner"],
        touches=tuple(_touch(touch) for touch in touches if touch["touch_id"] is not None),
        credits=tuple(Credits(model, (), parts) for model, parts in amounts.items()),
    )


def _entry_row(deal: DealKey, version: int, entry: Entry, cause: Cause) -> dict[str, Any]:
    cells = [_cells(touch) for touch in entry.touches] or [_cells(None)]
    return {
        "provider": deal[0],
        "deal_id": deal[1],
        "version": version,
        "amount": entry.amount,
        "currency": entry.currency,
        "created_at": format_instant(entry.created_at),
        "closed_at": format_instant(entry.closed_at),
        "owner": entry.owner,
        "touches": len(cells),
        "cause": cause.value,
        **dict(zip(_TOUCH_COLUMNS, columns(cells), strict=True)),
    }


def _cells(touch: Touch | None) -> tuple[str | None, ...]:
    """One touch in the order of the columns; without one the place of what nobody can be credited for."""
    if touch is None:
        return (None, None, None, *UNATTRIBUTED.columns, None, None)
    return (
        touch.visitor_id,
        touch.touch_id,
        format_instant(touch.occurred_at),
        *touch.source.columns,
        touch.landing_page,
        touch.referrer,
    )


def _credit_row(deal: DealKey, version: int, entry: Entry, part: Credits) -> dict[str, Any]:
    return {
        "provider": deal[0],
        "deal_id": deal[1],
        "version": version,
        "model": part.model,
        "amount": entry.amount,
        "touches": len(part.amounts),
        "amounts": part.amounts,
        "shares": [float(share) for share in part.shares],
    }
