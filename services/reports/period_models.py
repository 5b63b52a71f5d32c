"""Markov and Shapley in `revenue`: what each channel earned when all journeys of the period are looked at together.

Pure. No ledger holds these credits, as they depend on the period that is asked for. A deal of which no touch is known
has no journey: its money stays Unattributed, to the cent, and the channels share the rest.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.credit import UNATTRIBUTED
from services.attribution.split import split
from services.attribution.weights import in_whole_numbers
from services.reports.rows import Row

if TYPE_CHECKING:
    from services.attribution.paths import Path


class Earned(NamedTuple):
    """What a channel earned, in minor units and in deals, and between what the money lies."""

    amount: int
    deals: Fraction
    interval: tuple[int, int] | None = None
    """Of 95 in 100 draws of the journeys; None unless asked for."""


def earned_by_channel(model: str, rows: Sequence[Row], *, with_intervals: bool) -> dict[str, Earned]:
    """The credits under `markov` or `shapley` of the rows of `journeys.sql: paths`, every path by channel.

    Exact: the amounts sum to the money of the rows, the deals to their number. The same rows give the same intervals.
    """
    from services.attribution.intervals import intervals  # noqa: PLC0415 - numpy, for those who ask
    from services.attribution.path_models import credits_of  # noqa: PLC0415 - the same

    paths = _paths(rows)
    credits_ = credits_of(model, paths)
    values = [credit.value for credit in credits_.values()]
    amounts = split(int(sum(values)), in_whole_numbers(values)) if any(values) else (0,) * len(values)
    between = intervals(model, paths) if with_intervals else {}
    earned = {
        channel: Earned(amount, credit.conversions, _rounded(between.get(channel)))
        for (channel, credit), amount in zip(credits_.items(), amounts, strict=True)
    }
    for row in rows:
        if row["is_unknown"]:
            more = Earned(int(row["amount"]), Fraction(row["deals"]))
            earned[UNATTRIBUTED.channel] = _sum(earned.get(UNATTRIBUTED.channel), more)
    return earned


def with_credits(keyed: Sequence[Row], earned: Mapping[str, Earned]) -> list[dict[str, Any]]:
    """The rows of another model's report by channel, with these credits in the place of its own; the total stays."""
    nothing = Earned(0, Fraction(0))
    told = []
    for row in keyed:
        of_any_model = {name: row[name] for name in ("key", "amount", "deals", "leads", "visits", "spend", "is_total")}
        credit = earned.get(row["key"], nothing)
        own = {} if row["is_total"] else {"amount": credit.amount, "deals": credit.deals}
        told.append(of_any_model | own)
    return told


def intervals_of(earned: Mapping[str, Earned]) -> dict[str, tuple[int, int]]:
    """Those that were asked for."""
    return {channel: each.interval for channel, each in earned.items() if each.interval is not None}


def _sum(drawn: Earned | None, certain: Earned) -> Earned:
    """What a channel earned with what is certain: that moves both ends of its interval."""
    if drawn is None:
        return certain
    interval = drawn.interval and (drawn.interval[0] + certain.amount, drawn.interval[1] + certain.amount)
    return Earned(drawn.amount + certain.amount, drawn.deals + certain.deals, interval)


def _paths(rows: Sequence[Row]) -> "list[Path]":
    from services.attribution.paths import Path  # noqa: PLC0415 - beside those above

    return [
        Path(tuple(row["path"]), int(row["deals"] or 0), int(row["amount"] or 0), int(row["nulls"] or 0))
        for row in rows
        if not row["is_total"] and not row["is_unknown"]
    ]


def _rounded(interval: "tuple[Any, Any] | None") -> tuple[int, int] | None:
    return None if interval is None else (round(interval[0].value), round(interval[1].value))
