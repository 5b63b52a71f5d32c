"""The page that a bench prints: Markdown, to paste into documentation. Ratios count; rates belong to the machine."""

import os
import platform
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench.measuring import Finding, Row, Sample, cpu_each, cpu_ratio, rate_of, ratios

HEAD = ("what", "rate", "service", "Postgres", "baseline", "rate", "process", "Postgres", "ratio", "CPU")
EXPLANATION = """\
A rate is what was done in a second, the median of rounds in which both sides took turns; what takes minutes has one round.
Service, process and Postgres are CPU microseconds for each of them, over all rounds. The ratio is our rate as a part of the baseline's, with the least
and the most of the rounds; CPU says how many times the baseline's CPU ours is."""
FOOTNOTES = """\
A core's second is a CPU second of the consumer alone; of COPY it is one of its client and server, which work in turn.
CPU an event is that of the consumer and Postgres together. Bytes are those of identity's tables after a fill without
VACUUM, of WAL right after a checkpoint into empty tables: later on, the first change of a page after each checkpoint
adds up to 8 kB. Memory is the most that the process held at once (VmHWM). Half load is half of what the installation
was just found to carry, sent at a steady rate from the same machine. A late event is a visit before the deal, heard of when
the deal is credited."""
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
    return "\n".join([*_aligned([HEAD, *map(_cells, rows)], _TEXT), "", EXPLANATION])


def goals(findings: Sequence[Finding]) -> str:
    """What is promised, beside what was measured."""
    cells = [("what", "measured", "goal", "met"), *((*found[:3], "yes" if found.met else "NO") for found in findings)]
    return "\n".join([*_aligned(cells, range(4)), "", FOOTNOTES])


def _aligned(cells: Sequence[Sequence[str]], text: Collection[int]) -> list[str]:
    """The lines of a Markdown table, the first of which is its head; columns of text stand to the left."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ("-" * (width + 1) + ("-" if place in text else ":") for place, width in enumerate(widths))
    first, *others = [_line(row, widths, text) for row in cells]
    return [first, f"|{'|'.join(rule)}|", *others]


def _cells(row: Row) -> tuple[str, ...]:
    pairs = ratios(row)
    ratio = f"{median(pairs):.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f})"
    return (
        row.what,
        *_costs(row.ours),
        row.baseline,
        *_costs(row.theirs),
        ratio,
        f"{cpu_ratio(row.ours, row.theirs):.1f}",
    )


def _costs(samples: Sequence[Sample]) -> tuple[str, str, str]:
    service, postgres = cpu_each(samples)
    return f"{rate_of(samples):,.0f}", f"{service * 1e6:,.0f}", f"{postgres * 1e6:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int], text: Collection[int]) -> str:
    padded = (
        cell.ljust(width) if place in text else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _processor() -> str:
    """The processor by its name in proc_cpuinfo(5), where that has one."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
