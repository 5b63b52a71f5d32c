"""What reports reads from Postgres. Every method answers from one snapshot of the state."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from schemas.credit import MODELS, PERIOD_MODELS
from services.reports.answers import Deal, DealCredits, DealDetail, KeptApart, Revenue
from services.reports.explain_answers import DealExplanation
from services.reports.explain_rows import explanation_of
from services.reports.journey_store import JourneyStore, paths_in
from services.reports.lead_store import LeadStore
from services.reports.ledger_store import LedgerStore, deal_evidence
from services.reports.period_models import earned_by_channel, intervals_of, with_credits
from services.reports.questions import DEFAULT_MODEL, Period, Question, Refusal, deal_addresses, period_of
from services.reports.receipt_answers import Receipts
from services.reports.receipts import Span
from services.reports.rows import (
    credits_of,
    deal_detail_of,
    deal_of,
    kept_apart_of,
    pick_deal,
    revenue_of,
    tells_spend,
)
from services.reports.snapshot import snapshot
from services.runtime.postgres import Connection, Database, Record, load_queries
from services.runtime.rules import Rules, stored_rules

queries = load_queries(__package__)


class Backlog(NamedTuple):
    """How far the consumers are."""

    positions: Mapping[UUID, Mapping[tuple[str, str, int], int]]
    """By log: the next offset to read by (group, topic, partition)."""
    notes: dict[str, int]
    """Things to look at again, by group."""
    dead_letters: int


class Store:
    """The read side. `rules` are those of the settings, which hold until a first start has stored any."""

    def __init__(self, database: Database, rules: Rules) -> None:
        self._database = database
        self._first_rules = rules
        self.leads = LeadStore(database)
        self.journeys = JourneyStore(database)
        self._ledger = LedgerStore(database)

    async def rules(self) -> Rules:
        """The rules that the state was derived under. Asked anew each time: a replay changes them."""
        return await stored_rules(self._database) or self._first_rules

    async def models(self) -> tuple[str, ...]:
        """The models that the ledger keeps: the built-in ones and those of the rules."""
        return (*MODELS, *(await self.rules()).custom_models)

    async def revenue(self, question: Question, *, with_intervals: bool = False) -> Revenue:
        """Who earned what in the period, and what it cost; of a model of the period perhaps with intervals."""
        zone = (await self.rules()).zone
        won = (*period_of(question.since, question.until, zone), question.as_of)
        days = (question.since, question.until)
        async with snapshot(self._database) as connection:
            currency = question.currency or await connection.fetchval(queries.reported_currency, *won, *days)
            money = (*won, currency, zone.key)
            spent = (*days, tells_spend(question))
            if question.by == "owner":
                keyed = await connection.fetch(queries.revenue_by_owner, *money)
            else:
                model = DEFAULT_MODEL if question.model in PERIOD_MODELS else question.model
                keyed = await connection.fetch(queries.revenue_by_touch, *money, *spent, model, question.by)
            missing = await connection.fetch(queries.missing_rates, *money, *spent)
            paths = await paths_in(connection, question, currency, zone) if question.model in PERIOD_MODELS else []
        if question.model in PERIOD_MODELS:
            earned = await asyncio.to_thread(earned_by_channel, question.model, paths, with_intervals=with_intervals)
            return revenue_of(question, currency, with_credits(keyed, earned), missing, intervals_of(earned))
        return revenue_of(question, currency, keyed, missing)

    async def deals(self, question: Question, stage: str | None, limit: int) -> list[Deal]:
        """Deals that closed in the question's period, the newest first."""
        period = await self._period(question)
        return [deal_of(row) for row in await self._database.fetch(queries.deals, *period, stage, limit)]

    async def newest_won(self, question: Question, limit: int) -> list[Record]:
        """The deals won last in the period, each with its journey and what the model gives to each touch of it."""
        period = await self._period(question)
        return await self._database.fetch(queries.newest_won, *period, question.model, limit)

    async def deal(self, address: str) -> DealDetail:
        """The deal at `provider:deal_id`, or at its bare id. Raises Refusal."""
        async with snapshot(self._database) as connection:
            return deal_detail_of(await _deal_at(connection, address))

    async def credits(self, address: str, question: Question) -> DealCredits:
        """Who earned the deal under the question's model, as it stood at its `as_of`. Raises Refusal."""
        async with snapshot(self._database) as connection:
            deal = await _deal_at(connection, address)
            entry = await connection.fetchrow(
                queries.credits_of_deal, deal["provider"], deal["deal_id"], question.model, question.as_of
            )
        return credits_of(deal, question.model, entry)

    async def explain(self, address: str, question: Question, *, all_models: bool = False) -> DealExplanation:
        """Why the deal's money went where it went, under the question's model and at its `as_of`. Raises Refusal."""
        rules = await self.rules()
        asked = (question.model, *(name for name in await self.models() if all_models and name != question.model))
        async with snapshot(self._database) as connection:
            deal = await _deal_at(connection, address)
            found = await deal_evidence(connection, deal, question.model, rules.lookback, question.as_of)
        return explanation_of(deal, found, rules, asked, question.as_of)

    async def receipts(self, question: Question, span: Span, limit: int) -> Receipts:
        """What moved in the question's report within the span, by cause and deal; `limit` corrections at most."""
        return await self._ledger.receipts(question, await self.rules(), span, limit)

    async def backlog(self, log_ids: Sequence[UUID]) -> Backlog:
        """Positions and notes of one instant: a record counts as read only together with the notes that it left."""
        async with snapshot(self._database) as connection:
            positions = await connection.fetch(queries.positions, log_ids)
            notes = await connection.fetch(queries.notes_left)
            dead_letters = await connection.fetchval(queries.dead_letters_kept)
        by_log: defaultdict[UUID, dict[tuple[str, str, int], int]] = defaultdict(dict)
        for log_id, *place, next_offset in positions:
            by_log[log_id][tuple(place)] = next_offset
        return Backlog(
            positions=by_log,
            notes={row["consumer_group"]: row["notes"] for row in notes},
            dead_letters=dead_letters,
        )

    async def kept_apart(self, question: Question) -> KeptApart:
        """What was kept apart from people in the period."""
        counts = await self._database.fetch(queries.kept_apart, *await self._period(question))
        return kept_apart_of(question, counts)

    async def has_seen_anything(self) -> bool:
        """Whether a first event has had effects."""
        return bool(await self._database.fetchval(queries.has_seen_anything))

    async def _period(self, question: Question) -> Period:
        return period_of(question.since, question.until, (await self.rules()).zone)


async def _deal_at(connection: Connection, address: str) -> Record:
    addresses = deal_addresses(address)
    providers, ids = [provider for provider, _ in addresses], [deal_id for _, deal_id in addresses]
    storable = "\0" not in address  # Postgres refuses a text with U+0000; no deal has one
    candidates = await connection.fetch(queries.deals_at, address, providers, ids) if storable else []
    found = await connection.fetchrow(queries.deal, *pick_deal(address, candidates))
    if found is None:
        raise Refusal(404, "deal_not_found", f"there is no deal {address!r}")
    return found
