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
from services.runtime.lifecycle import tune_garbage_collection
from tests.bench import attributor, collector, footprint, freshness, history, hot, identity, paths, recompute, storm
from tests.bench.measuring import Bench, Finding, Row, Scale
from tests.bench.report import describe_machine, goals, table

Measure = Callable[[Bench], Sequence[Row | Finding]]

FULL = Scale(
    rounds=5,
    seconds=1.5,
    history=5_000,
    events=6_000,
    singles=200,
    weighed=25_000,
    visitors=(10_000, 100_000),
    storm=10_000,
    hot=100_000,
    customers=500,
    burst=20_000,
    recomputed=100_000,
    forms=100,
)
QUICK = Scale(
    rounds=3,
    seconds=0.3,
    history=300,
    events=1_000,
    singles=50,
    weighed=2_000,
    visitors=(500, 2_000),
    storm=900,
    hot=3_000,
    customers=50,
    burst=1_000,
    recomputed=2_000,
    forms=10,
)

PARTS: dict[str, Sequence[Measure]] = {
    "collector": [collector.measure],
    "identity": [identity.measure, history.measure, storm.measure, hot.measure, footprint.measure],
    "attributor": [attributor.measure, recompute.measure, paths.measure],
}
"""What is measured on a Postgres of the bench's own; freshness needs a whole installation."""
FRESHNESS = "freshness"


def main(
    quick: Annotated[bool, typer.Option("--quick", help="A rough answer, in about a minute.")] = False,
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

    tune_garbage_collection()  # as the services do: what runs in this process is measured as in theirs
    found: list[Row | Finding] = []
    page = [describe_machine(seed)]
    with tempfile.TemporaryDirectory(prefix="closedloop-bench-") as folder:
        if parts := [measure for name, measures in PARTS.items() if only in {"", name} for measure in measures]:
            found += measured(parts, Path(folder) / "parts", scale, seed, tell)
        if only in {"", FRESHNESS}:
            found += freshness.measure(Path(folder) / "whole", seed, scale, tell)
    if rows := [each for each in found if isinstance(each, Row)]:
        page.append(table(rows))
    if findings := [each for each in found if isinstance(each, Finding)]:
        page.append(goals(findings))
    sys.stdout.write("\n\n".join(page) + "\n")


def measured(
    parts: Sequence[Measure], folder: Path, scale: Scale, seed: int, tell: Callable[[str], None]
) -> list[Row | Finding]:
    """What these parts find, on a new Postgres."""
    postgres = EmbeddedPostgres(folder, tell=tell)
    postgres.start()
    try:
        bench = Bench(scale, postgres.dsn, folder, seed, tell)
        return [each for measure in parts for each in measure(bench)]
    finally:
        postgres.stop()


if __name__ == "__main__":
    typer.run(main)
