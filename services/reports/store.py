"""What reports reads from Postgres. Every method answers from one snapshot of the state."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from schemas.credit import MODELS
from services.reports.answers import Deal, DealCredits, DealDetail, KeptApart, Revenue
from services.reports.lead_store import LeadStore
from services.reports.questions import Period, Question, Refusal, deal_addresses, period_of
from services.reports.rows import (
    credits_of,
    deal_detail_of,
    deal_of,
    kept_apart_of,
    pick_deal,
    reported_currency,
    revenue_of,
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

    async def rules(self) -> Rules:
        """The rules that the state was derived under. Asked anew each time: a replay changes them."""
        return await stored_rules(self._database) or self._first_rules

    async def revenue(self, question: Question) -> Revenue:
        """Who earned what in the period."""
        period = await self._period(question)
        async with snapshot(self._database) as connection:
            won = await connection.fetch(queries.won_by_currency, *period, question.as_of)
            currency = reported_currency(question, won)
            if question.by == "owner":
                keyed = await connection.fetch(queries.revenue_by_owner, *period, question.as_of, currency)
            else:
                keyed = await connection.fetch(
                    queries.revenue_by_touch, *period, question.as_of, currency, question.model, question.by
                )
        return revenue_of(question, currency, won, keyed)

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

    async def credits_by_model(self, address: str) -> tuple[DealDetail, list[DealCredits]]:
        """The deal as it is now, and who earned it under each model. Raises Refusal."""
        async with snapshot(self._database) as connection:
            deal = await _deal_at(connection, address)
            entries = [
                await connection.fetchrow(queries.credits_of_deal, deal["provider"], deal["deal_id"], model, None)
                for model in MODELS
            ]
        return deal_detail_of(deal), [credits_of(deal, *each) for each in zip(MODELS, entries, strict=True)]

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
