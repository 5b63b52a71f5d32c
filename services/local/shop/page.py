"""The demo's result as it stands in the terminal."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.local.shop.comparison import Comparison, Row
from services.local.shop.history import CURRENCY, PROVIDER
from services.local.shop.truth import Credit

_SHOWN = 5
"""Deals that disagree, shown in full; more would scroll the table away."""


def money(cents: int, *, signed: bool = False) -> str:
    """An amount with two decimals and thousands in groups; a minus is the true sign, not a hyphen."""
    sign = "\N{MINUS SIGN}" if cents < 0 else "+" if signed and cents > 0 else ""
    return f"{sign}{Decimal(abs(cents)).scaleb(-2):,.2f}"


def page(comparison: Comparison, model: str) -> RenderableType:
    """The table by channel, and what to make of it."""
    parts: list[RenderableType] = [_table(comparison.rows, model), Text()]
    if not comparison.disagreements:
        differ = any(row.difference for row in comparison.rows)
        note = "; the reasons above explain every cent of difference to the truth." if differ else "."
        parts.append(Text(f"Every deal is credited exactly as far as anyone can see it{note}", style="green"))
        return Group(*parts)
    deals = len(comparison.disagreements)
    parts.append(Text(f"{deals} {'deal is' if deals == 1 else 'deals are'} not credited as expected:", style="bold red"))
    for deal in comparison.disagreements[:_SHOWN]:
        parts.append(Text(f"  {PROVIDER}:{deal.deal_id}  (closedloop explain {PROVIDER}:{deal.deal_id})"))
        parts.append(Text(f"    expected {_line(deal.expected)}\n    measured {_line(deal.measured)}"))
    if deals > _SHOWN:
        parts.append(Text(f"  and {deals - _SHOWN} more"))
    return Group(*parts)


def _table(rows: Sequence[Row], model: str) -> Table:
    table = Table(title=f"Revenue by channel, {model}, {CURRENCY}", title_justify="left", show_footer=True)
    table.add_column("Channel", "Total", no_wrap=True)
    table.add_column("Measured", money(sum(row.measured for row in rows)), justify="right", no_wrap=True)
    table.add_column("Truth", money(sum(row.true for row in rows)), justify="right", no_wrap=True)
    difference = sum(row.difference for row in rows)
    table.add_column("Difference", money(difference, signed=True), justify="right", no_wrap=True)
    table.add_column("Why", ratio=1)
    for row in rows:
        change = money(row.difference, signed=True)
        table.add_row(row.channel, money(row.measured), money(row.true), change, _why(row), end_section=True)
    return table


def _why(row: Row) -> Text:
    lines = [f"{money(amount, signed=True):>13}  {reason.value}" for reason, amount in row.why.items()]
    text = Text("\n".join(lines), style="dim")
    if row.unexplained:
        text.append(f"\n{money(row.unexplained, signed=True):>13}  UNEXPLAINED".lstrip("\n" if not lines else ""), "bold red")
    return text


def _line(credits_: Sequence[Credit]) -> str:
    return ", ".join(f"{part.channel} {money(part.amount)} ({part.touch_id})" for part in credits_) or "no credits"
