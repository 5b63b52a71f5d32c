"""`closedloop attribute`: a file of paths credited to its channels. It needs neither settings nor a database.

Numbers have as many decimal places as give their total 14 digits, or all of the total's own where it has more. They are
split by largest remainder: as decimals they sum to the total exactly, and a reader's doubles keep every digit.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.progress import track

from services.attribution.intervals import RESAMPLES, Interval, intervals
from services.attribution.path_models import Credits, credits_of
from services.attribution.paths import Journeys, Refused, read_paths
from services.attribution.split import split
from services.attribution.weights import in_whole_numbers
from services.local.asking import fail

DIGITS = 14
"""A double holds 15 for certain; the last is left to the rounding of Markov's solve."""


def attribute(file: str, model: str, *, with_intervals: bool) -> None:
    """Print the credits as JSON, most conversions first. What the user can mend is one line, and exit code 1."""
    journeys = _read(file)
    try:
        credits_ = credits_of(model, journeys.paths)
    except Refused as refused:
        fail(str(refused), 1)
    between = intervals(model, journeys.paths, resamples=_watched(RESAMPLES)) if with_intervals else {}
    answer = {"model": model, "credits": told(credits_, between, journeys.places)}
    typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))


def told(credits_: Credits, between: Mapping[str, Interval], places: int) -> list[dict[str, Any]]:
    """The credits as JSON objects; `places` are the decimal places of the value's unit."""
    rows: dict[str, dict[str, Any]] = {channel: {"channel": channel} for channel in credits_}
    ends: dict[str, dict[str, Any]] = {channel: {"low": {}, "high": {}} for channel in between}
    for name, own_places in (("conversions", 0), ("value", places)):
        amounts = [getattr(credit, name) / 10**own_places for credit in credits_.values()]
        total = sum(amounts, Fraction(0))
        shown = max(own_places, DIGITS - len(str(int(total))))
        for row, part in zip(rows.values(), _split(total, amounts, shown), strict=True):
            row[name] = _number(part, shown)
        for channel, interval in between.items():
            for end, credit in zip(("low", "high"), interval, strict=True):
                amount = round(getattr(credit, name) / 10**own_places * 10**shown)
                ends[channel][end][name] = _number(amount, shown)
    order = sorted(rows, key=lambda channel: (*(-amount for amount in credits_[channel]), channel))
    return [rows[channel] | ends.get(channel, {}) for channel in order]


def _read(file: str) -> Journeys:
    try:
        return read_paths(Path(file).read_bytes())
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", 1)
    except Refused as refused:
        fail(f"{file}, {refused}", 1)


def _split(total: Fraction, amounts: Sequence[Fraction], places: int) -> Sequence[int]:
    """In units of the last decimal place."""
    if not total:
        return (0,) * len(amounts)
    return split(int(total * 10**places), in_whole_numbers(amounts))


def _number(amount: int, places: int) -> orjson.Fragment:
    """So many units of the last decimal place as a JSON number."""
    digits = f"{amount:0{places + 1}d}"
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return orjson.Fragment(f"{whole}.{decimals}" if decimals else whole)


def _watched(resamples: Iterable[object]) -> Iterable[object]:
    """With a bar for whoever waits at a terminal."""
    console = Console(stderr=True)
    return track(resamples, "journeys drawn anew", console=console, transient=True, disable=not console.is_terminal)
