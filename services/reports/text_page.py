"""Tables in pages of text."""

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 160


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines under a head, indented; empty without any. A column whose head begins with `>` is of numbers."""
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # Text, not markup: a campaign may be named [red]
    if not table.row_count:
        return ""
    page = StringIO()
    Console(file=page, width=WIDTH, color_system=None).print(table)
    return "\n".join(f"  {line.rstrip()}" for line in page.getvalue().splitlines())
