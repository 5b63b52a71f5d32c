"""Counted paths for tests of the models: written short, and drawn."""

from collections.abc import Iterable

from hypothesis import strategies as st

from services.attribution.paths import Path

Counts = tuple[int, int, int]
"""Conversions, their value, nulls."""


def counted(told: dict[str, Counts]) -> list[Path]:
    """Paths as `{"a > b": (conversions, value, nulls)}`."""
    return [Path(tuple(path.split(" > ")), *counts) for path, counts in told.items()]


def drawn_paths(channels: str = "abcde", longest: int = 6) -> st.SearchStrategy[list[Path]]:
    """Paths over channels of one letter each; some twice, some never taken."""
    path = st.lists(st.sampled_from(channels), min_size=1, max_size=longest).map(tuple)
    won = st.tuples(path, st.integers(1, 9), st.integers(0, 10**6), st.integers(0, 9))
    lost = st.tuples(path, st.just(0), st.just(0), st.integers(0, 9))
    return st.lists(st.one_of(won, lost).map(lambda told: Path(*told)), min_size=1, max_size=12)


def totals(paths: Iterable[Path]) -> tuple[int, int]:
    """All conversions, and their value."""
    told = list(paths)
    return sum(path.conversions for path in told), sum(path.value for path in told)
