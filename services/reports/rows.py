"""From rows of the store to answers: pure. A row is read by its column names."""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, Protocol

from schemas.money import decimal_text
from services.reports.answers import (
    Credit,
    Deal,
    DealCredits,
    DealDetail,
    Interval,
    KeptApart,
    KeptApartRow,
    MissingRate,
    Revenue,
    RevenueRow,
    RevenueTotal,
)
from services.reports.questions import Question, Refusal

_OF_SPEND = frozenset({"channel", "source", "medium", "campaign"})
"""The dimensions that spend has too; nobody says which page or which sales representative it was for."""


NO_INTERVALS: Mapping[str, tuple[int, int]] = {}


class Row(Protocol):
    """Values by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


def tells_spend(question: Question) -> bool:
    """Whether the question is about something that spend is told by."""
    return question.by in _OF_SPEND


def revenue_of(
    question: Question,
    currency: str | None,
    keyed: Sequence[Row],
    missing: Sequence[Row],
    intervals: Mapping[str, tuple[int, int]] = NO_INTERVALS,
) -> Revenue:
    """The report: `keyed` is the money in `currency` by key, with one total row, `missing` what is in no row.

    `intervals` are between what the amounts lie, by key, where that was asked for.
    """
    totals = RevenueTotal(**_figures(next(row for row in keyed if row["is_total"]), currency))
    keys = [(row["amount"], row["key"], row) for row in keyed if not row["is_total"]]
    return Revenue(
        model=question.model,
        by=question.by,
        from_=_iso(question.since),
        to=_iso(question.until),
        currency=currency,
        rows=[
            RevenueRow(key=key, interval=_interval(intervals.get(key), currency), **_figures(row, currency))
            for _, key, row in sorted(keys, key=lambda each: (-each[0], each[1]))
        ],
        total=totals.amount,
        totals=totals,
        missing_rates=missing_rates_of(missing, currency),
    )


def missing_rates_of(missing: Sequence[Row], currency: str | None) -> list[MissingRate]:
    """Money that no figure of a report in `currency` has."""
    return [
        MissingRate(
            from_=row["currency"],
            to=currency or "",
            deals=row["deals"],
            amount=decimal_text(int(row["amount"]), row["currency"]),
            spend=decimal_text(int(row["spend"]), row["currency"]),
            day=row["day"].isoformat(),
        )
        for row in missing
    ]


def _figures(row: Row, currency: str | None) -> dict[str, Any]:
    amount, deals, spend = int(row["amount"] or 0), float(row["deals"] or 0), row["spend"]
    told = round(deals, 6)
    figures = {
        "amount": decimal_text(amount, currency) if currency else "0.00",
        "deals": told,
        "leads": row["leads"],
        "visits": row["visits"] or 0,
    }
    if spend is None or currency is None:
        return figures
    return figures | {
        "spend": decimal_text(int(spend), currency),
        "roas": round(float(amount / spend), 4) if spend else None,
        "cac": _for_each(int(spend), deals if told else 0, currency),  # nothing is said of deals told as 0
        "cost_per_lead": _for_each(int(spend), row["leads"], currency),
    }


def _interval(ends: tuple[int, int] | None, currency: str | None) -> Interval | None:
    if ends is None or currency is None:
        return None
    low, high = (decimal_text(end, currency) for end in ends)
    return Interval(low=low, high=high)


def _for_each(minor: int, count: float, currency: str) -> str | None:
    """The money divided by the count, half even; None when there is nobody to divide it by."""
    return decimal_text(round(minor / Fraction(count)), currency) if count else None


def deal_address(row: Row) -> str:
    """`provider:deal_id`."""
    return f"{row['provider']}:{row['deal_id']}"


def deal_of(row: Row) -> Deal:
    return Deal(**_deal_fields(row))


def deal_detail_of(row: Row) -> DealDetail:
    extra = {name: row[name] for name in ("updated_at", "contacts", "leads", "models")}
    return DealDetail(**_deal_fields(row), **extra)


def _deal_fields(row: Row) -> dict[str, Any]:
    plain = (
        "provider",
        "deal_id",
        "stage",
        "currency",
        "created_at",
        "closed_at",
        "owner",
        "first_channel",
        "last_channel",
    )
    return {name: row[name] for name in (*plain, "touches")} | {
        "id": deal_address(row),
        "amount": amount_text(row["amount"], row["currency"]),
    }


def amount_text(minor: int | None, currency: str | None) -> str | None:
    """The amount, or None where the CRM has none."""
    return None if minor is None or currency is None else decimal_text(minor, currency)


def pick_deal(address: str, candidates: Sequence[Row]) -> tuple[str, str]:
    """The (provider, deal id) that an address means: one that it names whole, else the only one with this id.

    Raises Refusal when there is none, or more than one.
    """
    whole = [row for row in candidates if row["whole"]]
    found = whole or candidates
    if not found:
        raise Refusal(404, "deal_not_found", f"there is no deal {address!r}; deals are listed at /api/v1/deals")
    if len(found) > 1:
        names = ", ".join(deal_address(row) for row in found)
        raise Refusal(409, "deal_id_ambiguous", f"several deals have the id {address!r}; ask for one of {names}")
    return found[0]["provider"], found[0]["deal_id"]


def credits_of(deal: Row, model: str, entry: Row | None) -> DealCredits:
    """The credits of `entry`, the ledger's row; without one the deal was not won, and nobody has any."""
    money = deal if entry is None else entry
    return DealCredits(
        id=deal_address(deal),
        provider=deal["provider"],
        deal_id=deal["deal_id"],
        model=model,
        stage=deal["stage"],
        amount=amount_text(money["amount"], money["currency"]),
        currency=money["currency"],
        credits=[] if entry is None else [_credit(entry, place) for place in range(len(entry["amounts"]))],
    )


def _credit(entry: Row, place: int) -> Credit:
    """The touch at one place of the entry's arrays, and its part."""
    columns = (
        "touch_id", "visitor_id", "occurred_at", "channel", "source", "medium", "campaign", "content", "term",
        "landing_page", "referrer",
    )  # fmt: skip
    return Credit(
        **{name: entry[name][place] for name in columns},
        share=entry["shares"][place],
        amount=decimal_text(entry["amounts"][place], entry["currency"]),
    )


def kept_apart_of(question: Question, counts: Sequence[Row]) -> KeptApart:
    """What was kept apart in the question's period, from its counts by reason."""
    rows = [KeptApartRow(reason=row["reason"], events=row["events"], visitors=row["visitors"]) for row in counts]
    return KeptApart(from_=_iso(question.since), to=_iso(question.until), rows=rows)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
