"""What a run costs: its time, and the CPU time of the service and of Postgres as the kernel counts it."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from services.local.processes import PROC, processes_in

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: how many it did, in how many seconds, with how many CPU seconds of whom."""

    count: int
    seconds: float
    service: float
    postgres: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Row(NamedTuple):
    """One line of the result. The samples of both sides are pairs, taken one after the other."""

    what: str
    ours: Sequence[Sample]
    baseline: str
    theirs: Sequence[Sample]


class Finding(NamedTuple):
    """One promise, and what was measured of it."""

    what: str
    measured: str
    goal: str
    met: bool


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float
    """Of each round at the collector."""
    history: int
    """Events that identity holds before its rounds; the longer histories are ten and a hundred times as long."""
    events: int
    """Of each of identity's rounds."""
    singles: int
    """Of each round that takes event by event."""
    weighed: int
    """Events whose bytes are counted."""
    visitors: tuple[int, int]
    """How many have gone through the consumer's process when its memory is read, and when it is read again."""
    storm: int
    """Events that merge into one lead."""
    hot: int
    """Hits of the hot visitor."""
    customers: int
    """Who buy twice in each of the attributor's rounds."""
    burst: int
    """Events that a whole installation is given at once, to see how many it can carry."""
    recomputed: int
    """Deals that the ledger credits anew."""
    forms: int
    """Whose way to the reports is timed, once idle and once at half load; then as many late events."""


class Bench(NamedTuple):
    """What every measurement is given."""

    scale: Scale

    dsn: str
    """The maintenance database of a Postgres of the bench's own."""
    folder: Path
    """The data folder of that Postgres."""
    seed: int
    tell: Callable[[str], None]
    """Takes a line of progress."""


async def nothing(_number: int) -> None:
    """The preparation of what needs none."""


class Contender(NamedTuple):
    """One side of a comparison."""

    name: str
    pid: int
    """The process that is at work, beside Postgres."""
    run: Callable[[int], Awaitable[int]]
    """Does the work of a round, by its number from 0 on, and answers how much that was."""
    prepare: Callable[[int], Awaitable[None]] = nothing
    """Comes before the round, and is not measured."""
    others: Sequence[int] = ()
    """Further processes of the same work."""


async def alternate(bench: Bench, *contenders: Contender) -> list[list[Sample]]:
    """The samples of each contender; they take turns, so that what else the machine does meets all of them."""
    samples: list[list[Sample]] = [[] for _ in contenders]
    rounds = bench.scale.rounds
    for number in range(rounds):
        for contender, own in zip(contenders, samples, strict=True):
            own.append(await sample(contender, bench.folder, number))
            bench.tell(f"{contender.name}, round {number + 1} of {rounds}: {own[-1].rate:,.0f}/s")
    return samples


async def sample(contender: Contender, folder: Path, number: int) -> Sample:
    """One round of one side."""
    await contender.prepare(number)
    service, postgres, began = cpu_of_all(contender), cpu_of_postgres(folder), time.perf_counter()
    count = await contender.run(number)
    seconds = time.perf_counter() - began
    return Sample(count, seconds, cpu_of_all(contender) - service, cpu_of_postgres(folder) - postgres)


def ratios(row: Row) -> list[float]:
    """Our rate as a part of the baseline's, pair by pair, sorted."""
    return sorted(ours.rate / theirs.rate for ours, theirs in zip(row.ours, row.theirs, strict=True))


def rate_of(samples: Sequence[Sample]) -> float:
    """How many a second: the median of the rounds."""
    return median(sample.rate for sample in samples)


def rate_per_core(samples: Sequence[Sample]) -> float:
    """How many for each CPU second of the service, over all rounds: a round alone is too short for the clock."""
    return sum(sample.count for sample in samples) / sum(sample.service for sample in samples)


def cpu_each(samples: Sequence[Sample]) -> tuple[float, float]:
    """CPU seconds of the service and of Postgres for each that was done, over all rounds."""
    count = sum(sample.count for sample in samples)
    return sum(sample.service for sample in samples) / count, sum(sample.postgres for sample in samples) / count


def cpu_ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    """How many times the CPU of theirs each of ours costs, service and Postgres together."""
    return sum(cpu_each(ours)) / sum(cpu_each(theirs))


def cpu_of(pid: int, *, ended_children: bool = False) -> float:
    """CPU seconds of a process so far: fields 14 and 15 of proc_pid_stat(5), with those of ended children 16 and 17."""
    fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / TICKS_A_SECOND


def cpu_of_all(contender: Contender) -> float:
    """CPU seconds of all its processes so far."""
    return sum(map(cpu_of, (contender.pid, *contender.others)))


def cpu_of_postgres(folder: Path) -> float:
    """CPU seconds of the server so far; sessions that have ended stand in their postmaster's account."""
    return sum(cpu_of(process.pid, ended_children=True) for process in processes_in("postgres", folder / "postgres"))
