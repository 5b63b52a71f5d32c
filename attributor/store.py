"""The attributor's tables: every statement it runs, and rows to values and back. Decides nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from attributor.journey import Entry, Journey
from schemas.credit import UNATTRIBUTED, Cause, Credits
from schemas.deal import DealState, Stage
from schemas.note import Note
from schemas.visit import Source, Touch
from services.attribution.weights import shares_of
from services.runtime.arrays import arrays
from services.runtime.copying import Cell, array, copy_rows
from services.runtime.postgres import Connection, Database, Record, load_queries

QUERIES = load_queries("attributor")

TOUCH_COLUMNS = (
    *("occurred_at", "touch_id", "visitor_id", "channel", "source", "medium", "campaign", "content", "term"),
    *("landing_page", "referrer"),
)
ENTRY_COLUMNS = (
    *("provider", "deal_id", "version", "amount", "currency", "created_at", "closed_at", "owner"),
    *("touches", "lead_touch", "cause", "recorded_at", *TOUCH_COLUMNS),
)
CREDIT_COLUMNS = ("provider", "deal_id", "version", "model", "amount", "touches", "amounts", "shares")

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
        await connection.execute(QUERIES.add_deal_events, *arrays(facts))
        await connection.execute(QUERIES.add_deals, *arrays([(fact.provider, fact.deal_id) for fact in facts]))


async def concerned_deals(connection: Connection, facts: Sequence[DealFact]) -> list[DealKey]:
    """Deals whose newest version these records may change, whether they were new or not."""
    rows = await connection.fetch(QUERIES.concerned_deals, *arrays([fact[:2] for fact in facts]))
    return sorted((row["provider"], row["deal_id"]) for row in rows)


async def lock_deals(connection: Connection, deals: Sequence[DealKey]) -> None:
    """Keep others from crediting these deals until the transaction ends."""
    await connection.fetch(QUERIES.lock_deals, *arrays(deals))


async def put_newest_versions(connection: Connection, deals: Sequence[DealKey]) -> None:
    """Lock these deals and bring them in line with their versions."""
    await lock_deals(connection, deals)
    await connection.execute(QUERIES.put_newest_versions, *arrays(deals))


async def deal_states(connection: Connection, deals: Sequence[DealKey]) -> dict[DealKey, DealState]:
    """The deals as they stand; one that was never there is missing."""
    rows = await connection.fetch(QUERIES.deals_by_id, *arrays(deals))
    states = (DealState(**{**row, "stage": Stage(row["stage"])}) for row in map(dict, rows))
    return {state.key: state for state in states}


async def journeys(
    connection: Connection, windows: Mapping[DealKey, tuple[datetime, datetime]]
) -> dict[DealKey, Journey]:
    """The candidates of each deal within its window, in the journey's order, and when its lead was created."""
    if not windows:
        return {}
    touches: dict[DealKey, list[Touch]] = {deal: [] for deal in windows}
    rows = [(*deal, *window) for deal, window in windows.items()]
    for row in await connection.fetch(QUERIES.journeys, *arrays(rows)):
        touches[row[0], row[1]].append(_touch(row[2:]))
    created = await connection.fetch(QUERIES.lead_creations, *arrays(list(windows)))
    created_at = {(row["provider"], row["deal_id"]): row["created_at"] for row in created}
    return {deal: Journey(found, created_at.get(deal)) for deal, found in touches.items()}


async def current_entries(connection: Connection, deals: Sequence[DealKey]) -> dict[DealKey, Entry]:
    """What the ledger holds of these deals now."""
    amounts: dict[DealKey, dict[str, tuple[int, ...]]] = {}
    for row in await connection.fetch(QUERIES.current_credits, *arrays(deals)):
        amounts.setdefault((row["provider"], row["deal_id"]), {})[row["model"]] = tuple(row["amounts"])
    rows = await connection.fetch(QUERIES.current_entries, *arrays(deals))
    return {deal: _entry(row, amounts[deal]) for row in rows for deal in [(row["provider"], row["deal_id"])]}


async def correct(connection: Connection, corrections: Sequence[Correction]) -> None:
    """Close what the ledger held and add what it should hold; the database refuses credits that do not sum up."""
    if not corrections:
        return
    rows = await connection.fetch(QUERIES.last_versions, *arrays([each.deal for each in corrections]))
    last = {(row["provider"], row["deal_id"]): row["version"] for row in rows}
    at = max([await connection.fetchval(QUERIES.ledger_time), *(row["changed_at"] for row in rows)])
    closed = [(*each.deal, each.cause.value) for each in corrections if each.held is not None]
    if closed:
        await connection.execute(QUERIES.close_entries, at, *arrays(closed))
    due = [(each.deal, each.due, each.cause) for each in corrections if each.due is not None]
    if due:
        numbered = [(deal, last.get(deal, 0) + 1, entry, cause) for deal, entry, cause in due]
        await copy_rows(connection, "entries", ENTRY_COLUMNS, (_entry_row(*each, at) for each in numbered))
        await copy_rows(
            connection,
            "credits",
            CREDIT_COLUMNS,
            (_credit_row(deal, version, entry, part) for deal, version, entry, _ in numbered for part in entry.credits),
        )


async def note_deals_of_older_programs(database: Database, limit: int) -> bool:
    """Note so many deals that a program has credited which knew fewer models; whether there was any."""
    done = await database.execute(QUERIES.note_deals_of_older_programs, limit, Cause.rules_changed.value)
    return done != "INSERT 0 0"


async def note_deals(connection: Connection, notes: Sequence[Note], lookback: timedelta) -> None:
    """Of notes about leads and touches make notes about the deals they concern."""
    causes = Cause.leads_changed.value, Cause.touch_arrived.value
    await connection.execute(QUERIES.note_deals, *arrays([note[1:] for note in notes]), lookback, *causes)


def noted_deals(notes: Iterable[Note]) -> dict[DealKey, Cause]:
    """The deals of these notes, and why each is to be credited anew; that its leads changed says the most."""
    deals: dict[DealKey, Cause] = {}
    for note in notes:
        provider, deal_id, cause = orjson.loads(note.key)
        if deals.get((provider, deal_id)) is not Cause.leads_changed:
            deals[provider, deal_id] = Cause(cause)
    return deals


_source = lru_cache(4096)(Source)
"""Most touches come from where others came from."""


def _touch(columns: Sequence[Any]) -> Touch:
    """From the columns of a touch in their order."""
    return Touch(columns[2], columns[1], columns[0], _source(*columns[3:9]), columns[9], columns[10])


def _entry(row: Record, amounts: Mapping[str, tuple[int, ...]]) -> Entry:
    touches = zip(*(row[column] for column in TOUCH_COLUMNS), strict=True)
    return Entry(
        amount=row["amount"],
        currency=row["currency"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
        owner=row["owner"],
        touches=tuple(_touch(touch) for touch in touches if touch[1] is not None),
        lead_touch=None if row["lead_touch"] is None else row["lead_touch"] - 1,
        credits=tuple(Credits(model, (), parts) for model, parts in amounts.items()),
    )


def _entry_row(deal: DealKey, version: int, entry: Entry, cause: Cause, at: datetime) -> Iterator[Cell]:
    """In the order of ENTRY_COLUMNS."""
    touches = [_cells(touch) for touch in entry.touches] or [_cells(None)]
    yield from (*deal, version, entry.amount, entry.currency, entry.created_at, entry.closed_at, entry.owner)
    yield from (len(touches), (entry.lead_touch or 0) + 1, cause.value, at)
    yield from map(array, zip(*touches, strict=True))


def _cells(touch: Touch | None) -> tuple[str | datetime | None, ...]:
    """One touch in the order of its columns; without one the place of what nobody can be credited for."""
    if touch is None:
        return (None, None, None, *UNATTRIBUTED, None, None)
    visitor_id, touch_id, occurred_at, source, landing_page, referrer = touch
    return (occurred_at, touch_id, visitor_id, *source, landing_page, referrer)


def _credit_row(deal: DealKey, version: int, entry: Entry, part: Credits) -> tuple[Cell, ...]:
    """In the order of CREDIT_COLUMNS."""
    amounts = array(part.amounts)
    return (*deal, version, part.model, entry.amount, len(part.amounts), amounts, _shares(part.parts))


@lru_cache(4096)
def _shares(parts: tuple[int, ...]) -> bytes:
    """Of journeys that are alike most models give the same shares."""
    return array(shares_of(parts))
