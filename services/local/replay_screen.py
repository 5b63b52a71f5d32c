"""What a person sees of a replay: results as lines, the way there as a bar, or as a line now and then."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from services.runtime.logs import describe

LINE_SECONDS = 10.0


class Screen(Protocol):
    """Where a replay tells what it does, and asks."""

    def say(self, line: str) -> None:
        """A line of the result."""

    def step(self, name: str) -> None:
        """Something begins that takes its time."""

    def tell(self, done: int, total: int, waiting: str = "") -> None:
        """How far the step is, in records, and what it waits for, if for anything."""

    def confirms(self, question: str) -> bool | None:
        """The person's answer; None where there is nobody to ask."""


class _Speed(TextColumn):
    """Records a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


class Terminal:
    """The screen of a command: results on stdout, the way there on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, waiting="", visible=False)
        self._is_drawn = progress.console.is_terminal
        self._step = ""
        self._told = ("", time.monotonic())

    def say(self, line: str) -> None:
        with self._aside():
            print(line, flush=True)  # noqa: T201 - the result

    def step(self, name: str) -> None:
        self._step = name
        self._progress.reset(self._task, description=name, total=None, waiting="", visible=True)
        self._told = ("", time.monotonic())
        if not self._is_drawn:
            self._progress.console.print(name)

    def tell(self, done: int, total: int, waiting: str = "") -> None:
        self._progress.update(self._task, completed=done, total=total or None, waiting=waiting)
        line = f"{self._step}: " + ", ".join(filter(None, (f"{done} of {total} records" if total else "", waiting)))
        if not self._is_drawn and line != self._told[0] and time.monotonic() - self._told[1] > LINE_SECONDS:
            self._told = line, time.monotonic()
            self._progress.console.print(line)

    def confirms(self, question: str) -> bool | None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        with self._aside():
            answer = input(f"{question} [y/N] ")
        return answer.strip().lower() in {"y", "yes"}

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """The bar makes room."""
        self._progress.update(self._task, visible=False)
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


class _Errors(logging.Handler):
    """What fails for good; what is waited for, and what is put aside, the screen is told in other ways."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.ERROR)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        line = record.getMessage() + (f": {describe(error)}" if error else "")
        self._progress.console.print(line, markup=False)


@contextmanager
def terminal() -> Iterator[Terminal]:
    """The screen of this process, and its log lines on it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    console = Console(stderr=True)
    progress = Progress(
        *columns,
        TextColumn("[yellow]{task.fields[waiting]}"),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    )
    logging.basicConfig(level=logging.ERROR, handlers=[_Errors(progress)], force=True)
    for client in ("asyncpg.pool", "aiokafka"):
        logging.getLogger(client).setLevel(logging.CRITICAL)  # they tell the outages that we tell of
    with progress:
        yield Terminal(progress)
