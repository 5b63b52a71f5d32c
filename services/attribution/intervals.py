"""How sure a credit is: intervals by the bootstrap over journeys.

Pure; the same seed gives the same intervals. Of n journeys n are drawn with replacement, again and again, and each draw
is credited anew; the middle 95 % of what a channel gets is its interval (percentile method; Efron, Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13). The totals are facts, so a draw tells only in which parts they are
shared; one without a conversion tells nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from services.attribution.markov import Chain, Vector
from services.attribution.path_models import MARKOV, SHARINGS, Credit
from services.attribution.paths import Path, channels_of
from services.attribution.weights import shares_of

SEED = 1953
RESAMPLES = range(1000)
MIDDLE = (0.025, 0.975)

Interval = tuple[Credit, Credit]
"""The least and the most that are plausible, of conversions and of value each by itself."""
_Reweighed = Callable[[Vector, Vector], tuple[Vector, Vector]]
"""From how often each path won and did not, to what each channel earned, sorted by name: conversions and value."""


def intervals(
    model: str, paths: Sequence[Path], *, seed: int = SEED, resamples: Iterable[object] = RESAMPLES
) -> dict[str, Interval]:
    """Of each channel under a model of `path_models.MODELS`, sorted by name.

    The conversions of one path are taken to be worth the same each. There is a draw for each element of `resamples`.
    """
    channels = channels_of(paths)
    conversions, value = sum(path.conversions for path in paths), sum(path.value for path in paths)
    if not conversions:
        return dict.fromkeys(channels, (Credit(Fraction(0), Fraction(0)),) * 2)
    credited = _markov(paths) if model == MARKOV else _shared(model, paths, channels)
    earned = np.array([credited(*draw) for draw in _draws(paths, seed, resamples)])
    lows, highs = zip(_ends(earned[:, 0], conversions), _ends(earned[:, 1], value), strict=True)
    pairs = zip(map(Credit, *lows), map(Credit, *highs), strict=True)
    return dict(zip(channels, pairs, strict=True))


def _draws(paths: Sequence[Path], seed: int, resamples: Iterable[object]) -> Iterator[tuple[Vector, Vector]]:
    """How often each path won, and did not, among as many journeys as there are."""
    counts = np.array([(path.conversions, path.nulls) for path in paths], dtype=np.int64).reshape(-1, 2)
    there = counts > 0
    chances = counts[there] / counts.sum()
    generator = np.random.default_rng(seed)
    for _ in resamples:
        drawn = np.zeros(counts.shape)
        drawn[there] = generator.multinomial(counts.sum(), chances)
        yield drawn[:, 0], drawn[:, 1]


def _markov(paths: Sequence[Path]) -> _Reweighed:
    markov = Chain(paths)

    def credited(conversions: Vector, nulls: Vector) -> tuple[Vector, Vector]:
        effects = markov.removal_effects(conversions, nulls)
        return effects, effects

    return credited


def _shared(model: str, paths: Sequence[Path], channels: Sequence[str]) -> _Reweighed:
    """Touch by touch: whose it is, of which path, and its share of that."""
    number = {channel: place for place, channel in enumerate(channels)}
    whose = np.array([number[each] for each in chain.from_iterable(path.channels for path in paths)], np.intp)
    of_path = np.repeat(np.arange(len(paths)), [len(path.channels) for path in paths])
    shares = np.array([share for path in paths for share in shares_of(SHARINGS[model](path.channels))])
    worth = np.array([path.value / max(path.conversions, 1) for path in paths])

    def by_channel(amounts: Vector) -> Vector:
        return np.bincount(whose, amounts[of_path] * shares, len(channels)).astype(np.float64)

    return lambda conversions, _: (by_channel(conversions), by_channel(conversions * worth))


def _ends(earned: NDArray[np.float64], total: int) -> Iterator[list[Fraction]]:
    """The least and the most of each column, when each row is scaled to the total; anything if no row tells."""
    sums = earned.sum(axis=1, keepdims=True)
    told = sums[:, 0] > 0
    parts = earned[told] / sums[told] if told.any() else np.array([[0.0], [1.0]]).repeat(earned.shape[1], axis=1)
    for end in np.quantile(parts, MIDDLE if told.any() else (0, 1), axis=0):
        yield [Fraction(float(part)) * total for part in end]
