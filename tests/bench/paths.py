"""Markov over many journeys: from their file to the credits, and beside a solve for each channel that is left out."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

import numpy as np

from services.attribution.path_models import credits_of
from services.attribution.paths import Path, channels_of, read_paths
from tests.bench.measuring import Bench, Contender, Finding, Row, alternate

JOURNEYS, CHANNELS = 100_000, 20
LONGEST, MORE_TOUCHES = 30, 0.35
CONVERTING = 0.1
SECONDS = 2.0


def measure(bench: Bench) -> list[Row | Finding]:
    """Journeys credited in a second, and how long a whole file takes."""
    return asyncio.run(_measure(bench))


async def _measure(bench: Bench) -> list[Row | Finding]:
    data = journeys(random.Random(bench.seed))
    paths = read_paths(data).paths
    check(paths)

    async def ours(_: int) -> int:
        credits_of("markov", paths)
        return JOURNEYS

    async def theirs(_: int) -> int:
        without_each(paths)
        return JOURNEYS

    what = f"Markov, {JOURNEYS:,} journeys over {CHANNELS} channels"
    here, baseline = os.getpid(), "counted in Python, solved without each channel"
    matrix, solves = await alternate(bench, Contender(what, here, ours), Contender(baseline, here, theirs))
    taken = []
    for _ in range(bench.scale.rounds):
        began = time.perf_counter()
        credits_of("markov", read_paths(data).paths)
        taken.append(time.perf_counter() - began)
    seconds = median(taken)
    return [
        Row(what, matrix, baseline, solves),
        Finding(f"{what}, from the file to the credits", f"{seconds:.2f} s", f"{SECONDS:.0f} s", seconds <= SECONDS),
    ]


def journeys(rng: random.Random) -> bytes:
    """A file with a line a journey: some channels are common, most journeys short, one in ten wins."""
    names, common = (
        [f"channel {number}" for number in range(CHANNELS)],
        [1 / (1 + number) for number in range(CHANNELS)],
    )
    lines, sums = ["path;conversions;value;nulls"], list(accumulate(common))
    for _ in range(JOURNEYS):
        touches = min(LONGEST, 1 + int(rng.expovariate(MORE_TOUCHES)))
        won = rng.random() < CONVERTING
        value = rng.randrange(1_000_000) / 100 if won else 0
        lines.append(f"{' > '.join(rng.choices(names, cum_weights=sums, k=touches))};{won:d};{value:.2f};{not won:d}")
    return "\n".join(lines).encode()


def without_each(paths: Sequence[Path]) -> list[float]:
    """The shares of the channels by name, as the definition says: the chain solved again without each."""
    counts = Counter[tuple[str, str]]()
    for path in paths:
        for end, taken in (("CONV", path.conversions), ("NULL", path.nulls)):
            for step in pairwise(["START", *path.channels, end]) if taken else ():
                counts[step] += taken
    states = ["START", *channels_of(paths)]
    number = {state: place for place, state in enumerate(states)}
    matrix, converting, leaving = np.zeros((len(states),) * 2), np.zeros(len(states)), np.zeros(len(states))
    for (left, entered), taken in counts.items():
        leaving[number[left]] += taken
        if entered in number:
            matrix[number[left], number[entered]] = taken
        elif entered == "CONV":
            converting[number[left]] = taken
    matrix, converting = matrix / leaving[:, None], converting / leaving
    lost = []
    for removed in range(len(states)):
        kept = matrix.copy()
        kept[:, removed] = 0  # START has no way in: without it the chain is whole
        lost.append(np.linalg.solve(np.eye(len(states)) - kept, converting)[0])
    effects = [lost[0] - probability for probability in lost[1:]]
    return [effect / sum(effects) for effect in effects]


def check(paths: Sequence[Path]) -> None:
    """Both sides must find the same."""
    total = sum(path.conversions for path in paths)
    ours = [float(credit.conversions / total) for credit in credits_of("markov", paths).values()]
    assert np.allclose(ours, without_each(paths), rtol=1e-9)
