"""A lead's score: pure. Moments of its history and the time of reading in, dated points out.

Points are counted in whole hundredths, so that the parts shown add up to the score shown, and a score and the day on
which it reached the threshold are never judged by different roundings.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from schemas.score import ScorePart, ScoreRules

DAY = timedelta(days=1)


class Moment(NamedTuple):
    """Something in a lead's history that may count. Histories are in the order of time."""

    kind: str
    at: datetime
    url: str | None = None
    name: str | None = None


class Piece(NamedTuple):
    """What one moment adds to the score, by which part."""

    part: str
    at: datetime
    hundredths: int


def pieces_of(rules: ScoreRules, moments: Sequence[Moment], now: datetime) -> list[Piece]:
    """All that makes up the score at `now`, in the order of time; moments after it are not there yet."""
    pieces = _pieces(rules, _counted(rules, moments), now)
    return sorted(pieces, key=lambda piece: (piece.at, piece.part))


def total_of(pieces: Sequence[Piece]) -> int:
    """The score, in hundredths of a point."""
    return sum(piece.hundredths for piece in pieces)


def reaches(rules: ScoreRules, hundredths: int) -> bool:
    """Whether so much makes a lead marketing-qualified."""
    return hundredths >= _hundredths(rules.threshold)


def reached_at(rules: ScoreRules, moments: Sequence[Moment], now: datetime) -> datetime | None:
    """When the score first was enough, as it stood then; None when it was not up to `now`.

    Between moments a score only fades, so only moments are looked at.
    """
    counted = _counted(rules, moments)
    for at in dict.fromkeys(moment.at for moment in moments if moment.at <= now):
        if reaches(rules, sum(piece.hundredths for piece in _pieces(rules, counted, at))):
            return at
    return None


def _counted(rules: ScoreRules, moments: Sequence[Moment]) -> dict[str, list[datetime]]:
    """The times that each part counts."""
    return {name: [moment.at for moment in moments if _counts(part, moment)] for name, part in rules.parts.items()}


def _counts(part: ScorePart, moment: Moment) -> bool:
    if part.counts == "days_since_last":
        return True
    return (
        part.counts == moment.kind
        and (part.name is None or part.name == moment.name)
        and (part.path is None or _path(moment.url).startswith(part.path))
    )


def _path(url: str | None) -> str:
    try:
        return urlsplit(url or "").path
    except ValueError:  # a page may report anything
        return ""


def _pieces(rules: ScoreRules, counted: Mapping[str, Sequence[datetime]], now: datetime) -> Iterator[Piece]:
    for name, part in rules.parts.items():
        times = counted[name]
        passed = bisect_right(times, now)
        if part.counts == "days_since_last":
            times, passed = times[passed - 1 : passed], min(passed, 1)
        left = _hundredths(part.at_most)
        for at in (times[place] for place in range(passed - 1, -1, -1)):
            points = _points(part, now - at)
            given = max(-left, min(left, points))
            if not given:
                break  # the part is full, or what is older still has faded as well
            left -= abs(given)
            yield Piece(name, at, given)


def _points(part: ScorePart, age: timedelta) -> int:
    """What a moment of this age is worth."""
    if part.counts == "days_since_last":
        return _hundredths(part.points) * (age // DAY)
    faded = 1.0 if part.half_life_days is None else 2.0 ** -(age / DAY / part.half_life_days)
    return round(part.points * 100 * faded)


def _hundredths(points: float) -> int:
    return round(points * 100)
