"""The driver's ledger: every attempt and its answer, a line of JSON each, on disk whatever happens to the driver."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

SYNC_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, sent at `sent_at` (seconds, time.monotonic) and answered, or given up, after `seconds`."""

    ids: Sequence[str]
    """The event_id of each event in it."""
    sent_at: float
    seconds: float
    status: int | None
    """None when there was no answer."""

    @property
    def answered_at(self) -> float:
        return self.sent_at + self.seconds

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """The server said that it cannot now: unknown whether it stored something."""
        return self.status is not None and self.status >= 500


class Ledger:
    """Appends to the file; what was written is on disk a tenth of a second later, and when the ledger is closed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._synced_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sync()
        self._file.close()

    def write(self, attempt: Attempt) -> None:
        self._file.write(orjson.dumps(attempt, option=orjson.OPT_APPEND_NEWLINE))
        if time.monotonic() - self._synced_at > SYNC_SECONDS:
            self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced_at = time.monotonic()


def read_ledger(path: Path) -> list[Attempt]:
    """All attempts, in the order of their answers."""
    return [Attempt(**orjson.loads(line)) for line in path.read_bytes().splitlines()]
