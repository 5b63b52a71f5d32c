"""The attribution models of single journeys: how much of a deal each touch of its journey earned.

Pure. A model answers parts: whole numbers in the journey's order, none negative and not all 0. A touch's share is its
part of their sum, exactly. The models and their names are those that HubSpot, Google and the marketing trade use.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache, partial
from math import lcm
from typing import NamedTuple

from schemas.credit import Milestones
from schemas.visit import DIRECT

HALF_LIFE_SECONDS = 7 * 86_400

Parts = tuple[int, ...]


class Course(NamedTuple):
    """What models look at of a journey, which has at least one touch."""

    channels: Sequence[str]
    times: Sequence[datetime] = ()
    """Needed by `time_decay` alone, in order."""
    lead: int = 0
    """The place of the touch of the lead's creation, from 0 on."""
    deal: int = 0
    """That of the deal's creation."""


Model = Callable[[Course], Parts]

MILESTONES: dict[str, Milestones] = {
    "first_touch": Milestones(first=1),
    "last_touch": Milestones(last=1),
    "linear": Milestones(others=1),
    "position_based": Milestones(first=40, last=40, others=20),
    "j_shaped": Milestones(first=20, last=60, others=20),
    "inverse_j": Milestones(first=60, last=20, others=20),
    "w_shaped": Milestones(first=30, lead=30, deal=30, others=10),
    "full_path": Milestones(first=225, lead=225, deal=225, last=225, others=100),
}
"""The models that give to milestones, and what they leave to all others; in any unit."""


@lru_cache(4096)
def by_milestones(parts: Milestones, length: int, lead: int, deal: int) -> Parts:
    """Milestones that coincide add up; the others share theirs evenly, and without any the milestones have it all."""
    given = [0] * length
    for part, place in zip(parts, (0, lead, deal, length - 1), strict=False):
        given[place] += part
    others = given.count(0)
    return tuple(part * others or parts.others for part in given) if others and parts.others else tuple(given)


def _to_milestones(parts: Milestones, course: Course) -> Parts:
    return by_milestones(parts, len(course.channels), course.lead, course.deal)


def last_non_direct(course: Course) -> Parts:
    """All to the last touch that is not Direct, to the last if all are."""
    told = [place for place, channel in enumerate(course.channels) if channel != DIRECT.channel]
    chosen = told[-1] if told else len(course.channels) - 1
    return tuple(int(place == chosen) for place in range(len(course.channels)))


def time_decay(course: Course) -> Parts:
    """Half as much for each week before the last touch: the double 2**-weeks, taken exactly."""
    last = course.times[-1]
    halved = [2.0 ** -((last - time).total_seconds() / HALF_LIFE_SECONDS) for time in course.times]
    ratios = [each.as_integer_ratio() for each in halved]
    whole = max(denominator for _, denominator in ratios)  # all are powers of two
    return tuple(numerator * (whole // denominator) for numerator, denominator in ratios)


def in_whole_numbers(shares: Sequence[Fraction]) -> Parts:
    """Whole numbers in the same proportions."""
    whole = lcm(*(share.denominator for share in shares))
    return tuple(share.numerator * (whole // share.denominator) for share in shares)


def models_of(custom: Mapping[str, Milestones]) -> dict[str, Model]:
    """Every model of single journeys by name: the built-in ones, then those of the rules."""
    return MODELS | {name: partial(_to_milestones, parts) for name, parts in custom.items()}


MODELS: dict[str, Model] = {name: partial(_to_milestones, parts) for name, parts in MILESTONES.items()} | {
    "last_non_direct": last_non_direct,
    "time_decay": time_decay,
}
"""The built-in ones: those of `schemas.credit.MODELS`."""


def shares_of(parts: Parts) -> list[float]:
    """The share of each part, as the nearest double."""
    whole = sum(parts)
    return [part / whole for part in parts]
