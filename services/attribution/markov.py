"""Markov credits of order 1 by removal effect, for all channels from one matrix.

Pure. The chain goes from START through channels to CONV or NULL, each transition as probable as it is frequent among
all journeys, those without a conversion included. The removal effect of a channel is the part of the probability to
convert that is lost when all transitions into it go to NULL instead (Anderl, Becker, von Wangenheim, Schumann, Mapping
the customer journey, 2016). Credits are the totals in proportion to the removal effects.

No chain has to be solved again without a channel. What is lost without c is what has ever reached c and converts from
there: the probability to reach c, times that to reach CONV from c. Let N_c count the touches of c, T_cd the transitions
from c to d, V_c those to CONV, and K be the inverse of diag(N) - T; the fundamental matrix is K diag(N).
- CONV is reached from c with the probability (K V)_c.
- Journeys leave a touch as often as they enter it. So the chain touches c as often as they do, N_c / journeys times on
  average, and N_c K_cc times once it is there: it reaches c with the probability 1 / (K_cc journeys).
- It converts as often as journeys do. So the removal effect of c is (K V)_c / (K_cc conversions).
diag(N) - T holds whole numbers and is dominated by its diagonal in rows and columns: its inverse loses no digits.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from services.attribution.paths import Path, Refused, channels_of

Vector = NDArray[np.float64]

MOST_CHANNELS = 10_000
"""Their matrix fills 800 MB, its inverse as much. 3,000 channels take seconds."""


class Chain:
    """The chain of these paths; how often each was taken is told afterwards, and can be told again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.channels = channels_of(paths)
        if len(self.channels) > MOST_CHANNELS:
            raise Refused(
                f"markov takes at most {MOST_CHANNELS:,} channels, these paths have {len(self.channels):,};"
                " give the rare ones one name"
            )
        number = {channel: place for place, channel in enumerate(self.channels)}
        lengths = np.array([len(path.channels) for path in paths], dtype=np.intp)
        self._touches = np.array([number[each] for each in chain.from_iterable(p.channels for p in paths)], np.intp)
        self._path = np.repeat(np.arange(len(paths)), lengths)
        self._last = self._touches[np.cumsum(lengths) - 1]
        (self._from,) = np.nonzero(self._path[:-1] == self._path[1:])
        self._steps = self._touches[self._from] * len(self.channels) + self._touches[self._from + 1]

    def removal_effects(self, conversions: Vector, nulls: Vector) -> Vector:
        """Of each of `channels`, times all conversions, when the paths were taken so often; 0 of one never touched."""
        size = len(self.channels)
        journeys = conversions + nulls
        touches = np.bincount(self._touches, journeys[self._path], size)
        converting = np.bincount(self._last, conversions, size)
        steps = np.bincount(self._steps, journeys[self._path[self._from]], size * size)
        matrix = -steps.reshape(size, size).astype(np.float64, copy=False)  # without steps these are integers
        matrix[np.diag_indices(size)] += np.where(touches, touches, 1)
        inverse = np.linalg.inv(matrix)
        return np.maximum(inverse @ converting / inverse.diagonal(), 0)  # a zero may come out as -1e-20
