"""`make bench`: how fast the parts are, each beside a baseline of the same run. Wiring only; see `report` for the page."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.local.postgres import EmbeddedPostgres
from services.local.processes import PROC
from tests.bench import attributor, collector, freshness, identity
from tests.bench.measuring import Bench, Row, Scale
from tests.bench.report import describe_freshness, describe_machine, table

FULL = Scale(rounds=5, seconds=1.5, history=15_000, events=3_000, singles=200, customers=500, forms=100)
QUICK = Scale(rounds=3, seconds=1, history=2_000, events=1_500, singles=100, customers=100, forms=20)

PARTS = {"collector": collector.measure, "identity": identity.measure, "attributor": attributor.measure}
"""What is measured on a Postgres of the bench's own; freshness needs a whole installation."""
FRESHNESS = "freshness"


def main(
    quick: Annotated[bool, typer.Option("--quick", help="A rough answer in less than a minute.")] = False,
    only: Annotated[str, typer.Option(help=f"One of {', '.join(PARTS)}, {FRESHNESS}.")] = "",
    seed: Annotated[int, typer.Option(help="What the events are made from.")] = 20260722,
) -> None:
    """Measure the parts of Closed Loop, each beside a baseline of the same run."""
    if not PROC.joinpath("self").exists():
        raise typer.BadParameter("CPU times are read from /proc, which this system does not have; use Linux")
    if only not in {"", *PARTS, FRESHNESS}:
        raise typer.BadParameter(f"none of {', '.join(PARTS)}, {FRESHNESS}", param_hint="--only")
    scale = QUICK if quick else FULL
    console = Console(stderr=True)

    def tell(line: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {line}", highlight=False)

    page = [describe_machine(seed)]
    with tempfile.TemporaryDirectory(prefix="closedloop-bench-") as folder:
        if parts := [measure for name, measure in PARTS.items() if only in {"", name}]:
            page.append(table(measured(parts, Path(folder) / "parts", scale, seed, tell)))
        if only in {"", FRESHNESS}:
            page.append(describe_freshness(freshness.measure(Path(folder) / "whole", seed, scale.forms, tell)))
    sys.stdout.write("\n\n".join(page) + "\n")


def measured(
    parts: Sequence[Callable[[Bench], list[Row]]], folder: Path, scale: Scale, seed: int, tell: Callable[[str], None]
) -> list[Row]:
    """The rows of these parts, on a new Postgres."""
    postgres = EmbeddedPostgres(folder, tell=tell)
    postgres.start()
    try:
        bench = Bench(scale, postgres.dsn, folder, seed, tell)
        return [row for measure in parts for row in measure(bench)]
    finally:
        postgres.stop()


if __name__ == "__main__":
    typer.run(main)
