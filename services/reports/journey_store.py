"""What reports reads of journeys, first visits and owners. Every method answers from one snapshot of the state."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from schemas.score import ScoreRules
from services.reports.content import content_of
from services.reports.funnel import LeadHistory, Reached, funnel_of, histories_of, reached_of
from services.reports.journey_answers import Content, Funnel, Owners, Paths, TimeToPurchase
from services.reports.journeys import DAYS, TOUCHES, csv_of, paths_of, times_of
from services.reports.lead_store import QUERIES as LEAD
from services.reports.owners import owners_of
from services.reports.questions import Period, Question, period_of
from services.reports.snapshot import snapshot
from services.reports.timeline import END, NEWEST_MOMENTS, moments_of
from services.runtime.postgres import Connection, Database, Record, load_queries

REPORTS = load_queries(__package__)
JOURNEYS = load_queries(__package__, "journeys.sql")
FUNNEL = load_queries(__package__, "funnel.sql")
OWNERS = load_queries(__package__, "owners.sql")


class PeriodMoney(NamedTuple):
    """Which money is meant and how it is told: what every query of a period's money begins with."""

    start: datetime | None
    end: datetime | None
    currency: str | None
    zone: str


async def paths_in(
    connection: Connection, question: Question, currency: str | None, zone: ZoneInfo, *, collapse: bool = False
) -> list[Record]:
    """Every path of the question's period by its dimension, won ones as they stood at its `as_of`."""
    period = period_of(question.since, question.until, zone)
    ways = (question.by, collapse, None, question.as_of)
    return await connection.fetch(JOURNEYS.paths, *period, currency, zone.key, *ways)


class JourneyStore:
    """The read side of the reports over journeys. `zone` is that of the rules: days and rates are days in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def paths(self, question: Question, zone: ZoneInfo, limit: int, *, collapse: bool) -> Paths:
        """The paths of the question's period, by its dimension; the `limit` that most deals took."""
        async with self._money(question, zone) as (connection, money):
            return paths_of(
                question,
                money.currency,
                collapse=collapse,
                rows=await connection.fetch(JOURNEYS.paths, *money, question.by, collapse, limit, None),
                lengths=await connection.fetch(JOURNEYS.lengths, *money, TOUCHES),
                unconverted=await _unconverted(connection, question, money),
            )

    async def paths_csv(self, question: Question, zone: ZoneInfo, *, collapse: bool) -> str:
        """Every path of the period, those of null journeys as well, as `closedloop attribute` reads them."""
        async with self._money(question, zone) as (connection, money):
            rows = await paths_in(connection, question, money.currency, zone, collapse=collapse)
        return csv_of(rows, money.currency)

    async def time_to_purchase(self, question: Question, zone: ZoneInfo) -> TimeToPurchase:
        """How long the deals won in the question's period took, by its dimension of their first touch."""
        period = period_of(question.since, question.until, zone)
        starts = [float(start) for start in DAYS]
        return times_of(question, await self._database.fetch(JOURNEYS.days_to_purchase, *period, question.by, starts))

    async def content(self, question: Question, zone: ZoneInfo, limit: int) -> Content:
        """Which pages stood in the journeys of the question's period; the `limit` that most won deals saw."""
        async with self._money(question, zone) as (connection, money):
            rows = await connection.fetch(JOURNEYS.pages, *money, limit)
            return content_of(question, money.currency, rows, await _unconverted(connection, question, money))

    async def owners(self, question: Question, zone: ZoneInfo) -> Owners:
        """Sales of the question's period by owner, with the channels that its model credits."""
        async with self._money(question, zone) as (connection, money):
            return owners_of(
                question,
                money.currency,
                deals=await connection.fetch(OWNERS.deals_by_owner, money.start, money.end),
                money=await connection.fetch(OWNERS.money_by_owner, *money, question.model),
                unconverted=await _unconverted(connection, question, money),
            )

    async def funnel(self, question: Question, zone: ZoneInfo, cohort: str, rules: ScoreRules, now: datetime) -> Funnel:
        """How far the visitors whose first visit fell in the question's period have come by `now`."""
        period = period_of(question.since, question.until, zone)
        async with snapshot(self._database) as connection:
            arrivals = await connection.fetch(FUNNEL.first_visits, *period, zone.key, question.by, cohort)
            leads = sorted({row["lead"] for row in arrivals if row["lead"] is not None})
            histories = await _histories(connection, leads)
        # Thousands of histories take seconds to score; other questions are answered meanwhile.
        reached = await asyncio.to_thread(_all_reached, histories, rules, now)
        return funnel_of(question, cohort, arrivals, reached)

    @asynccontextmanager
    async def _money(self, question: Question, zone: ZoneInfo) -> AsyncIterator[tuple[Connection, PeriodMoney]]:
        """A snapshot, and the money of the question's period in it, told in the report's currency."""
        period = period_of(question.since, question.until, zone)
        async with snapshot(self._database) as connection:
            currency = await _currency(connection, question, period)
            yield connection, PeriodMoney(*period, currency, zone.key)


async def _currency(connection: Connection, question: Question, period: Period) -> str | None:
    """The currency of the report, chosen as `revenue` chooses it."""
    if question.currency is not None:
        return question.currency
    currency: str | None = await connection.fetchval(
        REPORTS.reported_currency, *period, None, question.since, question.until
    )
    return currency


async def _unconverted(connection: Connection, question: Question, money: PeriodMoney) -> list[Record]:
    """By currency what was won in the period and no rate turns into that of the report."""
    won = (money.start, money.end, None)
    days = (question.since, question.until)
    return await connection.fetch(REPORTS.missing_rates, *won, money.currency, money.zone, *days, False)


async def _histories(connection: Connection, leads: Sequence[UUID]) -> dict[UUID, LeadHistory]:
    """What decides how far these leads have come. A score looks at a part of a timeline: a longer one is read alone."""
    members = await connection.fetch(FUNNEL.members, leads)
    deals = await connection.fetch(FUNNEL.deals, leads)
    long = {row["lead"] for row in await connection.fetch(FUNNEL.long_histories, leads, NEWEST_MOMENTS)}
    moments = await connection.fetch(FUNNEL.moments, [lead for lead in leads if lead not in long])
    histories = histories_of(members, deals, moments)
    for lead in sorted(long):
        newest = await connection.fetch(LEAD.timeline, _ids(members, lead), *END, NEWEST_MOMENTS)
        histories[lead] = histories[lead]._replace(moments=moments_of(newest))
    return histories


def _ids(members: Sequence[Record], lead: UUID) -> list[UUID]:
    return [member["identifier"] for member in members if member["lead"] == lead]


def _all_reached(histories: Mapping[UUID, LeadHistory], rules: ScoreRules, now: datetime) -> dict[UUID, Reached]:
    return {lead: reached_of(history, rules, now) for lead, history in histories.items()}
