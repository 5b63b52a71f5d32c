"""The models that counted paths can answer, by name, and each channel's credit under them.

Pure. Markov looks at all journeys at once, every other model says how each journey is shared by its touches. Credits
are exact fractions and sum to the totals.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from attributor.markov import Chain, Vector
from attributor.paths import Channels, Path, Refused, channels_of
from attributor.shapley import shapley
from attributor.weights import ALL, NOTHING, WEIGHTS, Shares, linear
from schemas.visit import DIRECT

Sharing = Callable[[Channels], Shares]
"""How a journey is shared by its touches, in their order; the shares sum to 1."""


class Credit(NamedTuple):
    """What a channel earned."""

    conversions: Fraction
    value: Fraction
    """In the unit of `Path.value`."""


Credits = dict[str, Credit]
"""Of every channel of the paths, sorted by name; they sum to the paths' totals, exactly."""


def last_non_direct(channels: Channels) -> Shares:
    """All to the last touch that is not Direct, to the last if all are."""
    told = [place for place, channel in enumerate(channels) if channel.casefold() != DIRECT.channel.casefold()]
    chosen = told[-1] if told else len(channels) - 1
    return tuple(ALL if place == chosen else NOTHING for place in range(len(channels)))


def _ends(first: Fraction, last: Fraction) -> Sharing:
    """So much to the first touch and to the last, the rest evenly to those between; of two, the ends in proportion."""

    @cache
    def shares(touches: int) -> Shares:
        if touches == 1:
            return linear(1)
        if touches == 2:
            return (first / (first + last), last / (first + last))
        middle = (1 - first - last) / (touches - 2)
        return (first, *(middle,) * (touches - 2), last)

    return lambda channels: shares(len(channels))


def _by_length(weights: Callable[[int], Shares]) -> Sharing:
    cached = cache(weights)
    return lambda channels: cached(len(channels))


SHARINGS: dict[str, Sharing] = {
    **{model: _by_length(weights) for model, weights in WEIGHTS.items()},
    "last_non_direct": last_non_direct,
    "j_shaped": _ends(Fraction(1, 5), Fraction(3, 5)),
    "inverse_j": _ends(Fraction(3, 5), Fraction(1, 5)),
    "shapley": shapley,
}
MARKOV = "markov"
MODELS = (*SHARINGS, MARKOV)
UNTOLD = {
    "time_decay": "when each touch was",
    "w_shaped": "when the lead and the deal were created",
    "full_path": "when the lead and the deal were created",
    "custom": "when the lead and the deal were created",
}
"""What the other models need, and a path does not tell."""


def credits_of(model: str, paths: Sequence[Path]) -> Credits:
    """Each channel's credit for conversions and value. Raises `Refused` for a model that paths cannot answer."""
    if model in UNTOLD:
        raise Refused(f"the model {model} needs to know {UNTOLD[model]}, which paths do not tell")
    if model not in MODELS:
        raise Refused(f"there is no model {model!r}; paths can be asked for {', '.join(MODELS)}")
    return _markov(paths) if model == MARKOV else _shared(SHARINGS[model], paths)


def _shared(sharing: Sharing, paths: Sequence[Path]) -> Credits:
    # In whole numbers for each denominator: adding fractions costs ten times as much.
    sums: dict[str, defaultdict[int, list[int]]] = {
        channel: defaultdict(lambda: [0, 0]) for channel in channels_of(paths)
    }
    for path in paths:
        for channel, share in zip(path.channels, sharing(path.channels), strict=True) if path.conversions else ():
            earned = sums[channel][share.denominator]
            earned[0] += share.numerator * path.conversions
            earned[1] += share.numerator * path.value
    return {
        channel: Credit(*(sum((Fraction(e[of], parts) for parts, e in earned.items()), NOTHING) for of in (0, 1)))
        for channel, earned in sums.items()
    }


def _markov(paths: Sequence[Path]) -> Credits:
    markov = Chain(paths)
    effects = [Fraction(float(effect)) for effect in markov.removal_effects(*_counts(paths))]
    whole = sum(effects) or 1
    conversions, value = sum(path.conversions for path in paths), sum(path.value for path in paths)
    return {
        channel: Credit(effect / whole * conversions, effect / whole * value)
        for channel, effect in zip(markov.channels, effects, strict=True)
    }


def _counts(paths: Sequence[Path]) -> tuple[Vector, Vector]:
    """Conversions and nulls of each path."""
    counts = np.array([(path.conversions, path.nulls) for path in paths], dtype=np.float64).reshape(-1, 2)
    return counts[:, 0], counts[:, 1]
