"""`make chaos`: every fault under load, and what must hold afterwards. Wiring only; `runs` is the table of faults."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from services.local.postgres import EmbeddedPostgres
from services.local.shop import simulate
from tests.brokers import libraries
from tests.chaos.demo import digest_of_demo
from tests.chaos.figures import EXPLANATION, Figures, table
from tests.chaos.runs import RUNS
from tests.chaos.trial import House, Load, Run, play, undisturbed
from tests.conftest import running_brokers

DEMO = "demo"
NAMES = (DEMO, *(run.name for run in RUNS))


class Scale(NamedTuple):
    """How large the load is, see `Load`."""

    visitors: int
    requests_a_second: float
    calm_seconds: float


FULL = Scale(2000, 30, 10)
SHORT = Scale(300, 20, 1)


def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN", help=f"Of {', '.join(NAMES)}.")] = None,
    seed: Annotated[int, typer.Option(help="What the shop and the moments are made from.")] = 20260722,
    short: Annotated[bool, typer.Option("--short", help="Seconds instead of minutes.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write the figures to this file, as Markdown.")] = None,
) -> None:
    """Break things under load, and see whether the promises hold. Without names: every run."""
    if unknown := set(names or ()) - set(NAMES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: none of {', '.join(NAMES)}")
    try:
        libraries()
    except AssertionError as why:
        typer.echo(f"make chaos: {why}", err=True)
        raise typer.Exit(1) from why
    console = Console(stderr=True, highlight=False)

    def tell(line: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {line}", soft_wrap=True)

    folder = Path(tempfile.mkdtemp(prefix="closedloop-chaos-"))
    tell(f"seed {seed}; ledgers and what the services say are in {folder}")
    postgres = EmbeddedPostgres(folder / "postgres", tell=tell)
    postgres.start()
    try:
        house = House(postgres, folder, seed, tell)
        scale = SHORT if short else FULL
        told = compare_demos(house, scale.visitors) if not names or DEMO in names else ""
        figures = play_all(house, [run for run in RUNS if not names or run.name in names], scale, short=short)
    finally:
        postgres.stop()
    page = (
        "\n\n".join(filter(None, [describe(names or (), seed, short=short), told, table(figures), EXPLANATION])) + "\n"
    )
    sys.stdout.write(page)
    if report is not None:
        report.write_text(page)
    raise typer.Exit(1 if any(figure.broken for figure in figures) else 0)


def compare_demos(house: House, visitors: int) -> str:
    """The same demo on both logs, in a sentence. Raises AssertionError when the digests differ."""
    house.tell(f"the demo with {visitors} visitors, on the embedded log and on Kafka")
    with running_brokers(house.folder / "kafka-demo", 1) as brokers:
        digests = [
            digest_of_demo(house.folder / f"demo-{number}", broker, visitors, house.seed)
            for number, broker in enumerate(("embedded", brokers.address))
        ]
    assert digests[0] == digests[1], f"the demo's digest is {digests[0]} on the embedded log, {digests[1]} on Kafka"
    return f"The demo with {visitors:,} visitors ends with digest {digests[0][:12]} on the embedded log and on Kafka."


def play_all(house: House, runs: Sequence[Run], scale: Scale, *, short: bool) -> list[Figures]:
    """The figures of these runs; clusters are shared by those that follow one another."""
    events = simulate(house.seed, scale.visitors).requests()
    house.tell(f"{len(events):,} events, once without any fault")
    expected = asyncio.run(undisturbed(house, events))
    load = Load(events, expected, scale.requests_a_second, scale.calm_seconds)
    figures = []
    for count, group in groupby(runs, key=lambda run: run.brokers):
        with running_brokers(house.folder / f"kafka-{count}", count) as brokers:
            for run in group:
                amount = run.short if short else run.full
                house.tell(f"[bold]{run.name}[/]: {run.what} {amount:g}")
                figures.append(asyncio.run(play(house, brokers, run, amount, load)))
                house.tell(table(figures[-1:]).splitlines()[-1])
    return figures


def describe(names: Sequence[str], seed: int, *, short: bool) -> str:
    """What a reader must know to compare: when, what, on how large a machine."""
    form = "short" if short else "full"
    what = ", ".join(names) or "every run"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {what}, {form} form, seed {seed}; {os.cpu_count()} cores shared by everything."
    )


if __name__ == "__main__":
    typer.run(main)
