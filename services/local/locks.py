"""Locks on files of the data folder: the system lets go of them when a process ends, however it ends."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """One process's hold on a file, alone or shared; the file itself stays and means nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self, *, shared: bool = False) -> bool:
        """Take or change the hold without waiting; False, and no new hold, while another one stands against it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600) if self._handle is None else self._handle
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._handle is None:
                os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Let go, if held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def alone(self, pause: Callable[[float], None]) -> Iterator[None]:
        """Hold it alone; waits with `pause`, which may raise to give up."""
        while not self.take():
            pause(0.05)
        try:
            yield
        finally:
            self.release()
