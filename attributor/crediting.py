"""The attributor: deals in, credits kept in line with them and with what identity finds out.

A deal's facts are committed, then its row is locked, then its journey is read in a later statement and the ledger is
corrected where it differs. Notes from identity become notes of the deals they concern, so that a lead with thousands of
deals is worked off in chunks; the deals then go the same way.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from attributor import store
from attributor.journey import Journey, cause_of, entry_of, same
from attributor.store import Correction, DealFact, DealKey
from schemas.canonical import event_rank
from schemas.credit import Cause
from schemas.deal import DealEvent, DealState, Stage, deal_of
from schemas.identifier import identifier_id
from schemas.note import Note, NoteKind
from schemas.topics import ATTRIBUTOR
from services.attribution.weights import models_of
from services.attribution.window import window
from services.runtime.delivering import Delivery, Fence
from services.runtime.notes import work_off
from services.runtime.postgres import Connection, Database
from services.runtime.rules import Rules

NOTES_AT_ONCE = 500
DEALS_AT_ONCE = 500
IDLE_ROUNDS = 100
"""So seldom is looked for what is hardly ever there."""


class Crediting:
    """Keeps the ledger."""

    def __init__(self, database: Database, id_key: str, rules: Rules) -> None:
        self._database = database
        self._id_key = id_key
        self._rules = rules
        self._models = models_of(rules.custom_models)
        self._idle_rounds = 0
        """Left until deals of older programs are looked for."""

    async def handle(self, batch: Sequence[Delivery], fence: Fence) -> None:
        """Take in the deals of the batch; a CRM's contacts are identity's."""
        facts = [
            fact_of(delivery.event, delivery.body, self._id_key, self._rules.zone)
            for delivery in batch
            if isinstance(delivery.event, DealEvent)
        ]
        if facts:
            await store.add_deal_events(self._database, facts)
        async with self._database.transaction() as connection:
            if facts:
                deals = await store.concerned_deals(connection, facts)
                await store.put_newest_versions(connection, deals)
                await self._credit(connection, dict.fromkeys(deals, Cause.deal_changed))
            await fence(connection)

    async def work_notes(self) -> bool:
        """Work off some notes: first which deals they concern, then those deals.

        Without any, now and then look for deals of older programs: one may still be at work beside this one.
        """
        worked = await work_off(
            self._database, ATTRIBUTOR, (NoteKind.lead, NoteKind.touches), NOTES_AT_ONCE, self._note_deals
        ) or await work_off(self._database, ATTRIBUTOR, (NoteKind.deal,), DEALS_AT_ONCE, self._credit_again)
        if worked or self._idle_rounds:
            self._idle_rounds -= not worked
            return worked
        found = await store.note_deals_of_older_programs(self._database, DEALS_AT_ONCE)
        self._idle_rounds = 0 if found else IDLE_ROUNDS
        return found

    async def _note_deals(self, connection: Connection, notes: Sequence[Note]) -> None:
        await store.note_deals(connection, notes, self._rules.lookback)

    async def _credit_again(self, connection: Connection, notes: Sequence[Note]) -> None:
        deals = store.noted_deals(notes)
        await store.lock_deals(connection, sorted(deals))
        await self._credit(connection, deals)

    async def _credit(self, connection: Connection, deals: Mapping[DealKey, Cause]) -> None:
        """Correct the ledger where it differs from what the deals and journeys say. The deals are locked."""
        keys = sorted(deals)
        states = await store.deal_states(connection, keys)
        journeys = await store.journeys(connection, windows_of(states, self._rules.lookback))
        held = await store.current_entries(connection, keys)
        due = {key: entry_of(states.get(key), journeys.get(key, Journey()), self._models) for key in keys}
        await store.correct(
            connection,
            [
                Correction(key, held.get(key), due[key], cause_of(held.get(key), due[key], deals[key]))
                for key in keys
                if not same(held.get(key), due[key])
            ],
        )


def windows_of(states: Mapping[DealKey, DealState], lookback: timedelta) -> dict[DealKey, tuple[datetime, datetime]]:
    """The windows of the won deals among these."""
    return {
        key: window(deal.created_at or deal.closed_at, deal.closed_at, lookback)
        for key, deal in states.items()
        if deal.stage is Stage.won and deal.closed_at is not None
    }


def fact_of(event: DealEvent, body: dict[str, Any], id_key: str, zone: ZoneInfo) -> DealFact:
    """The fact that one version of a deal is; its contacts stand there by their keyed ids."""
    deal = deal_of(event, zone)
    return DealFact(
        deal.provider,
        deal.event_id,
        event.occurred_at,
        event_rank(body),
        deal.deal_id,
        deal.stage.value,
        deal.amount,
        deal.currency,
        deal.created_at,
        deal.closed_at,
        deal.owner,
        ",".join(str(identifier_id(contact, id_key)) for contact in deal.contacts),
        deal.updated_at,
    )
