"""The models that counted paths can answer, by name, and each channel's credit under them.

Pure. Markov looks at all journeys at once, every other model says how each journey is shared by its touches. Credits
are exact fractions and sum to the totals.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from schemas.visit import DIRECT
from services.attribution import weights
from services.attribution.markov import Chain, Vector
from services.attribution.paths import Channels, Path, Refused, channels_of
from services.attribution.shapley import shapley
from services.attribution.weights import MILESTONES, Course, Model, Parts, last_non_direct

Sharing = Callable[[Channels], Parts]
"""How a journey is shared by its touches, in their order."""


class Credit(NamedTuple):
    """What a channel earned."""

    conversions: Fraction
    value: Fraction
    """In the unit of `Path.value`."""


Credits = dict[str, Credit]
"""Of every channel of the paths, sorted by name; they sum to the paths' totals, exactly."""


def _answering(model: Model) -> Sharing:
    return lambda channels: model(Course(channels))


def _last_non_direct(channels: Channels) -> Parts:
    """Files of others write Direct as they like."""
    direct = DIRECT.channel.casefold()
    return last_non_direct(Course([DIRECT.channel if each.casefold() == direct else each for each in channels]))


UNTOLD = {
    "time_decay": "when each touch was",
    **{
        name: "when the lead and the deal were created"
        for name, parts in MILESTONES.items()
        if parts.lead or parts.deal
    },
    "custom": "when the lead and the deal were created",
}
"""What the other models need, and a path does not tell."""
SHARINGS: dict[str, Sharing] = {
    **{name: _answering(model) for name, model in weights.MODELS.items() if name not in UNTOLD},
    "last_non_direct": _last_non_direct,
    "shapley": shapley,
}
MARKOV = "markov"
MODELS = (*SHARINGS, MARKOV)


def credits_of(model: str, paths: Sequence[Path]) -> Credits:
    """Each channel's credit for conversions and value. Raises `Refused` for a model that paths cannot answer."""
    if model in UNTOLD:
        raise Refused(f"the model {model} needs to know {UNTOLD[model]}, which paths do not tell")
    if model not in MODELS:
        raise Refused(f"there is no model {model!r}; paths can be asked for {', '.join(MODELS)}")
    return _markov(paths) if model == MARKOV else _shared(SHARINGS[model], paths)


def _shared(sharing: Sharing, paths: Sequence[Path]) -> Credits:
    # In whole numbers for each whole: adding fractions costs ten times as much.
    sums: dict[str, defaultdict[int, list[int]]] = {
        channel: defaultdict(lambda: [0, 0]) for channel in channels_of(paths)
    }
    for path in paths:
        if not path.conversions:
            continue
        parts = sharing(path.channels)
        whole = sum(parts)
        for channel, part in zip(path.channels, parts, strict=True):
            earned = sums[channel][whole]
            earned[0] += part * path.conversions
            earned[1] += part * path.value
    return {
        channel: Credit(*(sum((Fraction(e[of], whole) for whole, e in earned.items()), Fraction(0)) for of in (0, 1)))
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
