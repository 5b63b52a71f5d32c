"""Signals that ask `closedloop up` to end, noticed at moments of our choosing instead of between any two lines."""

import signal
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self


class Stopped(Exception):
    """A signal asked us to end."""


class Signals:
    """Counts SIGINT, SIGTERM and SIGHUP while it is entered; `pause` turns each new one into Stopped, once."""

    def __init__(self) -> None:
        self._came = 0
        self._heeded = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def pause(self, seconds: float) -> None:
        """Sleep. Raises Stopped when a signal has come since the last time."""
        time.sleep(seconds)
        if self._came > self._heeded:
            self._heeded = self._came
            raise Stopped

    def ignore(self) -> None:
        """From now on no signal raises Stopped."""
        self._heeded = float("inf")

    def __enter__(self) -> Self:
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if sign is signal.SIGHUP and signal.getsignal(sign) is signal.SIG_IGN:
                continue  # nohup asks for that
            self._before[sign] = signal.signal(sign, self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sign, handler in self._before.items():
            with suppress(TypeError):  # a handler that was not set from Python cannot be set again
                signal.signal(sign, handler)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self._came += 1
