"""Journeys of a period by path, length and duration: pure. Rows of `journeys.sql` in, answers out.

The query `paths` is also what Markov and Shapley need: with no limit it gives every path with its deals, its money and
its null journeys. `csv_of` writes that down as the file that `closedloop attribute` reads.
"""

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from schemas.money import decimal_text
from services.reports.journey_answers import (
    Lasted,
    Length,
    PathFigures,
    PathRow,
    Paths,
    PurchaseTimes,
    PurchaseTimesRow,
    TimeToPurchase,
)
from services.reports.questions import Question
from services.reports.rows import Row, missing_rates_of

TOUCH_KEYS = ("channel", "source", "medium", "campaign")
"""What a touch can be called by in a path, and a first touch or visit in what is told by it."""

TOUCHES = (1, 2, 3, 4, 5, 6, 11, 21, 51)
"""Where the buckets of lengths begin."""

DAYS = (0, 1, 2, 4, 8, 15, 31, 61, 91)
"""Where the buckets of durations begin, in days: the last ends never."""

CSV_COLUMNS = ("path", "conversions", "value", "nulls")

_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_FORMULA = ("=", "+", "-", "@")


def labels_of(starts: Sequence[int]) -> list[str]:
    """The whole numbers in each of the buckets that begin so: `4`, `5-9`, and `10+` for the last."""
    ranges = [str(first) if first == behind - 1 else f"{first}-{behind - 1}" for first, behind in pairwise(starts)]
    return [*ranges, f"{starts[-1]}+"]


def paths_of(  # noqa: PLR0913 - what three queries found
    question: Question,
    currency: str | None,
    *,
    collapse: bool,
    rows: Sequence[Row],
    lengths: Sequence[Row],
    unconverted: Sequence[Row],
) -> Paths:
    """The report: of `rows` one adds up all paths."""
    found = {row["bucket"]: row for row in lengths}
    return Paths(
        from_=question.since,
        to=question.until,
        by=question.by,
        collapse=collapse,
        currency=currency,
        rows=[
            PathRow(path=" > ".join(row["path"]), keys=row["path"], **_path_figures(row, currency))
            for row in rows
            if not row["is_total"]
        ],
        total=PathFigures(**_path_figures(next(row for row in rows if row["is_total"]), currency)),
        lengths=[
            Length(
                touches=label,
                deals=found[bucket]["deals"] if bucket in found else 0,
                amount=amount_in(found[bucket]["amount"] if bucket in found else 0, currency),
            )
            for bucket, label in enumerate(labels_of(TOUCHES), 1)
        ],
        missing_rates=missing_rates_of(unconverted, currency),
    )


def csv_of(rows: Sequence[Row], currency: str | None) -> str:
    """The paths as `path;conversions;value;nulls`, each value a decimal in `currency`; without touches there is none.

    The file joins names by ` > ` and knows no other way to part them, so that sign within a name becomes one like it;
    white space and control characters become one space. A path that begins as a formula does gets an apostrophe before
    it, so that no spreadsheet computes what a stranger has written into an address (OWASP, CSV Injection).
    """
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        if not row["is_total"] and not row["is_unknown"]:
            path = " > ".join(map(_name, row["path"]))
            safe = f"'{path}" if path.startswith(_FORMULA) else path
            writer.writerow((safe, row["deals"], amount_in(row["amount"], currency), row["nulls"]))
    return file.getvalue()


def times_of(question: Question, rows: Sequence[Row]) -> TimeToPurchase:
    """The report: for each key and for all one row of all buckets, and one for each of their buckets."""
    buckets: dict[str | None, dict[int, int]] = {}
    for row in rows:
        if row["bucket"] is not None:
            buckets.setdefault(None if row["is_total"] else row["key"], {})[row["bucket"]] = row["deals"]
    whole = next(row for row in rows if row["is_total"] and row["is_whole"])
    keyed = [row for row in rows if row["key"] is not None and row["is_whole"]]
    return TimeToPurchase(
        from_=question.since,
        to=question.until,
        by=question.by,
        rows=[
            PurchaseTimesRow(key=row["key"], **_time_figures(row, buckets[row["key"]]))
            for row in sorted(keyed, key=lambda row: (-row["deals"], row["key"]))
        ],
        total=PurchaseTimes(**_time_figures(whole, buckets.get(None, {}))),
        unattributed=whole["unattributed"],
    )


def amount_in(minor: Any, currency: str | None) -> str:
    """Minor units as a decimal; nothing at all is `0.00` while there is no currency."""
    return decimal_text(int(minor or 0), currency) if currency else "0.00"


def rounded(figure: Any, digits: int) -> float | None:
    """A figure as it is told; what is not known stays so."""
    return None if figure is None else round(float(figure), digits)


def _name(key: str) -> str:
    without = key.replace(">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}")
    return _BLANKS.sub(" ", without).strip() or "(not set)"


def _path_figures(row: Row, currency: str | None) -> dict[str, Any]:
    return {
        "deals": row["deals"] or 0,
        "amount": amount_in(row["amount"], currency),
        "nulls": row["nulls"] or 0,
        "touches": rounded(row["touches"], 2),
        "days": rounded(row["days"], 2),
    }


def _time_figures(row: Row, deals: dict[int, int]) -> dict[str, Any]:
    median, p75, p90 = row["percentiles"] or (None, None, None)
    return {
        "deals": row["deals"],
        "mean": rounded(row["mean"], 2),
        "median": rounded(median, 2),
        "p75": rounded(p75, 2),
        "p90": rounded(p90, 2),
        "distribution": [
            Lasted(days=label, deals=deals.get(bucket, 0)) for bucket, label in enumerate(labels_of(DAYS), 1)
        ],
    }
