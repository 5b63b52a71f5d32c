"""The demo's result as it stands in the terminal."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.local.shop.comparison import Comparison, Disagreement, Row
from services.local.shop.history import CURRENCY, PROVIDER
from services.local.shop.truth import Credit

_SHOWN = 5
"""Deals that disagree, shown in full; more would scroll the table away."""


def page(comparison: Comparison, model: str) -> RenderableType:
    """The table by channel, what its reasons mean, and what to make of it all."""
    title = Text(f"\nRevenue by channel, model {model}, in {CURRENCY}", "bold")
    return Group(title, _table(comparison.rows), _legend(comparison), "", *_findings(comparison), "")


def money(cents: int, *, signed: bool = False) -> str:
    """An amount with two decimals and its thousands in groups."""
    sign = "-" if cents < 0 else "+" if signed and cents > 0 else ""
    return f"{sign}{Decimal(abs(cents)).scaleb(-2):,.2f}"


def _table(rows: Sequence[Row]) -> Table:
    measured, true = sum(row.measured for row in rows), sum(row.true for row in rows)
    table = Table(box=SIMPLE_HEAD, show_footer=True, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Channel", "Total", no_wrap=True)
    table.add_column("Measured", money(measured), justify="right", no_wrap=True)
    table.add_column("Truth", money(true), justify="right", no_wrap=True)
    table.add_column("Difference", money(measured - true, signed=True), justify="right", no_wrap=True)
    table.add_column("Why")
    for row in rows:
        difference = money(row.difference, signed=True)
        table.add_row(row.channel, money(row.measured), money(row.true), difference, _why(row))
    return table


def _why(row: Row) -> Columns:
    parts = [Text(f"{money(cents, signed=True):>11} {reason.label:<11}", "dim") for reason, cents in row.why.items()]
    if row.unexplained:
        parts.append(Text(f"{money(row.unexplained, signed=True):>11} UNEXPLAINED", "bold red"))
    return Columns(parts)


def _legend(comparison: Comparison) -> Table:
    legend = Table.grid(padding=(0, 2))
    for reason, cents in comparison.moved.items():
        legend.add_row(reason.label, Text(money(cents), justify="right"), Text(reason.meaning, "dim"))
    return legend


def _findings(comparison: Comparison) -> Iterator[Text]:
    if comparison.explained:
        yield Text("Every deal is credited as an honest observer would: the reasons explain each cent.", "green")
    if comparison.disagreements:
        yield Text(f"Deals that are not credited as expected: {len(comparison.disagreements)}", "bold red")
        for deal in comparison.disagreements[:_SHOWN]:
            yield _disagreement(deal)
        if (more := len(comparison.disagreements) - _SHOWN) > 0:
            yield Text(f"  and {more} more", "red")
    for channel, cents in sorted(comparison.misreported.items()):
        yield Text(f"The revenue report has {money(cents, signed=True)} for {channel} beside the credits.", "bold red")
    if comparison.other_deals > 0:
        yield Text(
            f"The dashboard shows {comparison.other_deals} other won deals as well; the table is the shop's alone."
        )
    if comparison.other_deals < 0:
        yield Text(f"The revenue report lacks {-comparison.other_deals} won deals of the shop.", "bold red")


def _disagreement(deal: Disagreement) -> Text:
    name = f"{PROVIDER}:{deal.deal_id}"
    return Text(
        f"  {name}   (more: closedloop explain {name})\n"
        f"    expected {_line(deal.expected)}\n    measured {_line(deal.measured)}",
        "red",
    )


def _line(credits_: Sequence[Credit]) -> str:
    return ", ".join(f"{part.channel} {money(part.amount)} ({part.touch_id})" for part in credits_) or "no credits"
