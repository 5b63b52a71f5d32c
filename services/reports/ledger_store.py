"""What reports reads of the ledger's history from Postgres. Every method answers from one snapshot of the state."""

from datetime import datetime, timedelta
from typing import Any

from services.attribution.window import window
from services.reports.explain_history import holding
from services.reports.explain_rows import LINES, DealEvidence
from services.reports.questions import Question, period_of
from services.reports.receipt_answers import Receipts
from services.reports.receipts import Span, receipts_of
from services.reports.rows import Row
from services.reports.snapshot import snapshot
from services.runtime.postgres import Connection, Database, load_queries
from services.runtime.rules import Rules

QUERIES = load_queries(__package__, "ledger.sql")
REPORTS = load_queries(__package__)


class LedgerStore:
    """The read side of what was, and why it changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receipts(self, question: Question, rules: Rules, span: Span, limit: int) -> Receipts:
        """What moved in the question's report after the span's begin and up to its end; `limit` corrections at most."""
        asked = (
            span.since,
            span.until or await self._database.fetchval(QUERIES.settled_until),
            *period_of(question.since, question.until, rules.zone),
        )
        async with snapshot(self._database) as connection:
            currency = await _currency(connection, question, asked)
            report = (*asked, currency, rules.timezone, question.model, question.by)
            totals = await connection.fetchrow(QUERIES.totals_at_both, *report)
            rows = await connection.fetch(QUERIES.receipts, *report, limit)
        assert totals is not None  # aggregates answer one row
        return receipts_of(question, asked[:2], currency, totals, rows)


async def _currency(connection: Connection, question: Question, asked: tuple[Any, ...]) -> str | None:
    """The one that the report would have at the end of the span, or where it would have none, at the begin."""
    begin, end, *period = asked
    days = (question.since, question.until)
    return (
        question.currency
        or await connection.fetchval(REPORTS.reported_currency, *period, end, *days)
        or await connection.fetchval(REPORTS.reported_currency, *period, begin, *days)
    )


async def deal_evidence(
    connection: Connection, deal: Row, model: str, lookback: timedelta, as_of: datetime | None
) -> DealEvidence:
    """What is known about why a deal's money went where it went, as it stood at `as_of`; people as they are now."""
    key = (deal["provider"], deal["deal_id"])
    people = await connection.fetch(QUERIES.people, *key)
    entries = await connection.fetch(QUERIES.entries, *key, as_of, model, LINES + 1)
    entry = holding(entries, as_of)
    ids = sorted({row["identifier"] for row in people if row["identifier"] is not None})
    registered = sorted({row["identifier"] for row in people if row["identifier"] is not None and not row["shared"]})
    span = None if entry is None else window(entry["created_at"], entry["closed_at"], lookback)
    return DealEvidence(
        versions=await connection.fetch(QUERIES.versions, *key, LINES),
        people=people,
        entries=entries,
        entry=entry,
        window=span,
        credits=[] if entry is None else await connection.fetch(QUERIES.credits, *key, entry["version"]),
        owned=[] if span is None else await connection.fetch(QUERIES.owned_within, ids, *span),
        outside=[] if span is None else await connection.fetch(QUERIES.owned_outside, ids, *span),
        registered_at=await connection.fetchval(QUERIES.registered_at, registered),
    )
