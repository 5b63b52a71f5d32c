"""Journeys counted by the path they took, and the file of paths: how it is read, and when it is refused.

Pure. A path is the channels of its touches in order; how many journeys took it and won, what they were worth, and how
many took it and won nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from schemas.csv_table import Row, UnreadableError, read_table

Channels = tuple[str, ...]
"""Of the touches of one journey in order; at least one."""

COLUMNS = ("path", "conversions", "value", "nulls")
NEEDED = ("path", "conversions")
MOST_JOURNEYS = 10**15
"""Of one file: a double still counts so many one by one."""

_WHOLE = re.compile(r"[0-9]{1,16}(\.0*)?|[0-9](\.[0-9]{1,15})?[eE]\+?[0-9]{1,2}")
"""R writes 100000 as `1e+05`, pandas writes 3 as `3.0` beside missing numbers."""
_DECIMAL = re.compile(r"([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")


_remembered = lru_cache(2**16)
"""Long files repeat themselves: most numbers are 0 or 1, and most journeys take a path that others took."""


class Refused(ValueError):
    """Nothing was computed. The message is one line for whoever made the file or chose the model."""


class Path(NamedTuple):
    """The journeys that took one path."""

    channels: Channels
    conversions: int
    value: int
    """Of its conversions, in the smallest units that are counted, such as cents; 0 without conversions."""
    nulls: int
    """Journeys that ended without a conversion."""


class Journeys(NamedTuple):
    """What a file holds: its paths, each once, sorted."""

    paths: Sequence[Path]
    places: int
    """Decimal places of the unit of `Path.value`: the most that any value of the file has."""


def channels_of(paths: Sequence[Path]) -> list[str]:
    """Every channel, sorted by name."""
    return sorted({channel for path in paths for channel in path.channels})


class _Counted(NamedTuple):
    channels: Channels
    conversions: int
    value: Decimal
    nulls: int


def read_paths(data: bytes) -> Journeys:
    """The paths of a CSV file with the columns `path` and `conversions`, and `value` and `nulls` if it likes.

    It is read as `schemas.csv_table` reads tables. Channels are joined by ` > `. A path that comes in several rows is
    added up, an empty `value` or `nulls` is 0. Raises `Refused` with the line at the first row that is no such row;
    nothing is skipped but rows without anything in a cell.
    """
    try:
        rows = [_counted(row) for row in read_table(data, COLUMNS, NEEDED)]
    except UnreadableError as error:
        raise Refused(str(error)) from error
    places = max((0, *(-_exponent(row.value) for row in rows)))
    counts: dict[Channels, list[int]] = {}
    for row in rows:
        count = counts.setdefault(row.channels, [0, 0, 0])
        numerator, denominator = row.value.as_integer_ratio()
        count[0] += row.conversions
        count[1] += numerator * (10**places // denominator)
        count[2] += row.nulls
    if sum(conversions + nulls for conversions, _, nulls in counts.values()) > MOST_JOURNEYS:
        raise Refused(f"more than {MOST_JOURNEYS:,} journeys are too many to count")
    return Journeys([Path(channels, *counts[channels]) for channels in sorted(counts)], places)


def _counted(row: Row) -> _Counted:
    if row.fault:
        raise Refused(f"line {row.line}: {row.fault}")
    try:
        return _told(row.cells)
    except ValueError as error:
        raise Refused(f"line {row.line}: {error}") from error


def _told(cells: dict[str, str]) -> _Counted:
    conversions = _whole("conversions", cells.get("conversions", ""))
    value = _decimal(text := cells.get("value", "0"))
    if value and not conversions:
        raise ValueError(f"value is {text!r}, but there is no conversion that it could come from")
    return _Counted(_channels(cells.get("path", "")), conversions, value, _whole("nulls", cells.get("nulls", "0")))


@_remembered
def _channels(text: str) -> Channels:
    channels = tuple(channel.strip() for channel in text.split(">"))
    if not all(channels):
        what = "the path is empty" if channels == ("",) else f"a channel is missing in the path {text!r}"
        raise ValueError(f"{what}; channels are joined by ' > '")
    return channels


@_remembered
def _whole(name: str, text: str) -> int:
    number = Decimal(text) if _WHOLE.fullmatch(text) else None
    if number is None or number != int(number):
        raise ValueError(f"{name} is {text!r}, not a whole number from 0 on")
    return int(number)


@_remembered
def _decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"value is {text!r}, not a decimal from 0 on such as 1234.50")
    return Decimal(text)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # neither infinite nor NaN: the pattern has neither
    return exponent
