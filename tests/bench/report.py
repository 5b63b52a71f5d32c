"""The page that a bench prints: Markdown, to paste into documentation. Ratios count; rates belong to the machine."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from tests.bench.freshness import Freshness
from tests.bench.measuring import Row, Sample, ratios

HEAD = ("what", "rate", "service", "Postgres", "baseline", "rate", "process", "Postgres", "ratio", "CPU")
EXPLANATION = """\
A rate is what was done in a second, the median of rounds in which both sides took turns. Service, process and Postgres
are CPU microseconds for each of them, over all rounds. The ratio is our rate as a part of the baseline's, with the least
and the most of the rounds; CPU says how many times the baseline's CPU ours is."""
_TEXT = (0, 4)
"""The columns that are words; the others are numbers and stand to the right."""


def describe_machine(seed: int) -> str:
    """What a reader must know to compare: machine, versions, when, how, and what else the machine had to do."""
    command = " ".join(["python -m tests.bench", *sys.argv[1:]])
    system, python, (load, _, _) = platform.system(), platform.python_version(), os.getloadavg()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, `{command}`, seed {seed}\n"
        f"{os.cpu_count()} cores of {_processor()}, {system}, Python {python}, load before the start {load:.1f}"
    )


def table(rows: Sequence[Row]) -> str:
    """The rows beside their baselines."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths) for row in cells]
    rule = "|".join(
        ["", *("-" * (width + 1) + ("-" if place in _TEXT else ":") for place, width in enumerate(widths)), ""]
    )
    return "\n".join([lines[0], rule, *lines[1:], "", EXPLANATION])


def describe_freshness(freshness: Freshness) -> str:
    """How soon what came in can be seen, in milliseconds."""
    accepted, visible = _percentiles(freshness.accepted), _percentiles(freshness.visible)
    forms = f"{len(freshness.visible)} forms, one at a time"
    return f"Freshness, {forms}: durable (202) after {accepted}; the lead in the reports API {visible} later."


def _cells(row: Row) -> tuple[str, ...]:
    least, *_, most = ratios(row)
    ratio = f"{median(ratios(row)):.2f} ({least:.2f} to {most:.2f})"
    cpu = f"{sum(_micros(row.ours)) / sum(_micros(row.theirs)):.1f}"
    return (row.what, *_costs(row.ours), row.baseline, *_costs(row.theirs), ratio, cpu)


def _costs(samples: Sequence[Sample]) -> tuple[str, str, str]:
    rate = median(sample.rate for sample in samples)
    service, postgres = _micros(samples)
    return f"{rate:,.0f}", f"{service:,.0f}", f"{postgres:,.0f}"


def _micros(samples: Sequence[Sample]) -> tuple[float, float]:
    """CPU microseconds of the service and of Postgres for each that was done; a round alone is too short for the clock."""
    count = sum(sample.count for sample in samples)
    service, postgres = sum(sample.service for sample in samples), sum(sample.postgres for sample in samples)
    return service / count * 1e6, postgres / count * 1e6


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.ljust(width) if place in _TEXT else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _percentiles(seconds: Sequence[float]) -> str:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"


def _processor() -> str:
    """The processor by its name in proc_cpuinfo(5), where that has one."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
