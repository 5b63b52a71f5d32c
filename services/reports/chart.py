"""A bar chart's geometry: pure. Lengths are percent of the width, so that text keeps its size on any screen."""

from collections.abc import Sequence
from typing import NamedTuple

ROW_HEIGHT = 40
"""Pixels of one row: a line of text and its bar."""

LONGEST_LABEL = 34


class Bar(NamedTuple):
    """One row of the chart."""

    label: str
    """Cut to what fits; `title` has it whole."""
    title: str
    figure: str
    width: float
    """Percent of the longest bar; what is not nothing can be seen."""
    y: int


class Chart(NamedTuple):
    """Rows from the top down, and the height of all."""

    bars: list[Bar]
    height: int


def chart_of(figures: Sequence[tuple[str, str, float]]) -> Chart:
    """Bars for (label, figure as shown, size), in the given order."""
    longest = max((size for _, _, size in figures), default=0) or 1
    bars = [
        Bar(
            label=shortened(label),
            title=f"{label}: {figure}",
            figure=figure,
            width=max(0.6, round(100 * size / longest, 2)),
            y=place * ROW_HEIGHT,
        )
        for place, (label, figure, size) in enumerate(figures)
    ]
    return Chart(bars, len(bars) * ROW_HEIGHT)


def shortened(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
