"""What moved in a report between two instants: from the words of an address to a span, from rows to receipts. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.money import decimal_text
from services.reports.questions import Question, Refusal, instant_of
from services.reports.receipt_answers import Moved, MovedByCause, Receipt, Receipts, UnratedCorrections
from services.reports.rows import Row, deal_address

RECEIPTS_SHOWN = 100


class Span(NamedTuple):
    """After `since` and up to `until`: a correction at `since` is already in the report as it stood then."""

    since: datetime
    until: datetime | None
    """None is now, by the clock of the ledger."""


def span_of(since: str | None, until: str | None) -> Span:
    """The span that these words name. Raises Refusal."""
    begin, end = instant_of(since, "since"), instant_of(until, "until")
    if begin is None:
        raise Refusal(400, "missing_since", "say since when: since=2026-03-01T09:30:00Z")
    if end is not None and end < begin:
        raise Refusal(400, "invalid_span", f"until={until} is before since={since}")
    return Span(begin, end)


def receipts_of(
    question: Question, span: tuple[datetime, datetime], currency: str | None, totals: Row, rows: Sequence[Row]
) -> Receipts:
    """The answer: `totals` are the report's at both ends, `rows` the corrections and their sums by `part`."""
    lines = [_receipt(row, question.model, currency) for row in _part(rows, "correction")]
    return Receipts(
        since=span[0],
        until=span[1],
        model=question.model,
        by=question.by,
        from_=question.since.isoformat() if question.since else None,
        to=question.until.isoformat() if question.until else None,
        currency=currency,
        before=_money(totals["before"], currency),
        after=_money(totals["after"], currency),
        difference=_money(_difference(totals), currency),
        causes=[
            MovedByCause(
                cause=row["name"], corrections=row["corrections"], difference=_money(_difference(row), currency)
            )
            for row in _part(rows, "cause")
        ],
        keys=_moved(((row["name"], _difference(row)) for row in _part(rows, "key")), currency),
        receipts=lines,
        missing_rates=[
            UnratedCorrections(from_=row["name"], to=currency or "", corrections=row["corrections"])
            for row in _part(rows, "no rate")
        ],
        left_out=sum(row["corrections"] for row in _part(rows, "all")) - len(lines),
    )


def _receipt(row: Row, model: str, currency: str | None) -> Receipt:
    return Receipt(
        at=row["at"],
        cause=row["cause"],
        deal=deal_address(row),
        model=model,
        before=_money(row["before"], currency),
        after=_money(row["after"], currency),
        difference=_money(_difference(row), currency),
        moved=_moved(zip(row["keys"] or (), row["differences"] or (), strict=True), currency),
    )


def _moved(differences: Iterable[tuple[str, int]], currency: str | None) -> list[Moved]:
    """The largest movement first, then by key; without those that ended where they began."""
    told = sorted(((key, each) for key, each in differences if each), key=lambda moved: (-abs(moved[1]), moved[0]))
    return [Moved(key=key, difference=_money(each, currency)) for key, each in told]


def _part(rows: Sequence[Row], part: str) -> list[Row]:
    return [row for row in rows if row["part"] == part]


def _difference(row: Row) -> int:
    return int((row["after"] or 0) - (row["before"] or 0))


def _money(minor: int, currency: str | None) -> str:
    return decimal_text(int(minor), currency) if currency else "0.00"
