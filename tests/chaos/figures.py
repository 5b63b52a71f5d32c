"""What a run showed, from the ledger and the clock; which promises it broke; and the table of all runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from tests.chaos.fleet import Exit
from tests.chaos.ledger import Attempt

BACK_SECONDS = 5.0
"""From the return of what was away to the first 2xx."""
DRAINED_SECONDS = 60.0
"""From there to a lag of less than a second's load."""
EXIT_SECONDS = 25.0
"""From SIGTERM to the end of a service."""


@dataclass
class Figures:
    """One run. Times in seconds; shares of all requests, repeated ones included."""

    run: str
    events: int
    requests: int
    refused: float
    """The share that was answered 5xx."""
    unanswered: float
    median: float
    """Of the time to an answer, whatever it says."""
    p99: float
    first_accepted: float | None
    """After the return of what was away."""
    drained: float
    repeated: int
    """Records in the log beyond those that were sent."""
    exits: Sequence[Exit]
    fallen: Sequence[str]
    broken: list[str] = field(default_factory=list)
    """The promises that were not kept, in words; empty is good."""


def answer_times(attempts: Sequence[Attempt]) -> tuple[float, float]:
    """Median and 99th percentile of the seconds to an answer."""
    seconds = [attempt.seconds for attempt in attempts if attempt.status is not None]
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[98]


def share(attempts: Sequence[Attempt], holds: Callable[[Attempt], bool]) -> float:
    return sum(map(holds, attempts)) / len(attempts)


def first_accepted(attempts: Sequence[Attempt], since: float) -> float | None:
    """Seconds from `since` to the next 2xx."""
    later = [attempt.answered_at - since for attempt in attempts if attempt.accepted and attempt.answered_at >= since]
    return min(later, default=None)


def late_promises(figures: Figures, most_refused: float, back_seconds: float = BACK_SECONDS) -> list[str]:
    """The promises about time and availability that were not kept."""
    first, worst = figures.first_accepted, max((exit_.seconds for exit_ in figures.exits), default=0.0)
    wrong_codes = [f"{exit_.member} {exit_.while_}: {exit_.code}" for exit_ in figures.exits if exit_.code != 0]
    return [
        line
        for holds, line in (
            (figures.refused <= most_refused, f"{figures.refused:.2%} answered 5xx; promised are {most_refused:.2%}"),
            (first is not None, "no 2xx after the return"),
            (first is None or first <= back_seconds, f"first 2xx {first or 0:.1f} s after the return"),
            (figures.drained <= DRAINED_SECONDS, f"lag drained after {figures.drained:.0f} s"),
            (worst <= EXIT_SECONDS, f"a service took {worst:.1f} s to end"),
            (not wrong_codes, f"exit codes other than 0: {'; '.join(wrong_codes)}"),
            (not figures.fallen, f"ended without being asked: {', '.join(figures.fallen)}"),
        )
        if not holds
    ]


HEAD = ("run", "events", "requests", "5xx", "no answer", "p50 ms", "p99 ms", "2xx after s", "drained s", "repeated", "exits, worst s", "verdict")  # fmt: skip

EXPLANATION = f"""\
Requests count each repetition; 5xx and no answer (the connection is refused or cut) are shares of them. p50 and p99 are
of the time to an answer of any kind. 2xx after: from the return of what was away to the first event that was accepted,
promised are {BACK_SECONDS:g} s (after the last of many kills 10 s). Drained: from there to a lag of less than a second's load,
promised are {DRAINED_SECONDS:g} s. Repeated: records that Kafka's client stored twice by itself; their effects are there once.
Exits: how many services were stopped by SIGTERM, and what the slowest took, promised are {EXIT_SECONDS:g} s. Kept also means:
the digest is that of an undisturbed run, all that was answered 2xx is in the log, nothing is there that was not sent, no
dead letter, every exit code 0, nobody ended without being asked."""


def table(all_figures: Sequence[Figures]) -> str:
    """The runs as a Markdown table."""
    lines = [HEAD, tuple("---" for _ in HEAD), *map(_cells, all_figures)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(figures: Figures) -> tuple[str, ...]:
    worst = max((exit_.seconds for exit_ in figures.exits), default=0.0)
    return (
        figures.run,
        f"{figures.events:,}",
        f"{figures.requests:,}",
        f"{figures.refused:.2%}",
        f"{figures.unanswered:.2%}",
        f"{figures.median * 1000:.0f}",
        f"{figures.p99 * 1000:.0f}",
        "never" if figures.first_accepted is None else f"{figures.first_accepted:.1f}",
        f"{figures.drained:.1f}",
        f"{figures.repeated:,}",
        f"{len(figures.exits)}, {worst:.1f}",
        "; ".join(figures.broken) or "kept",
    )
