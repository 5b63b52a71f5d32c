"""What the services of `closedloop up` write: all of it to files in the data folder, what matters to the terminal."""

from pathlib import Path

import orjson

LOGS = "logs"
"""The folder within the data folder; a file each service."""

LARGEST_FILE = 8 * 1024 * 1024
"""Bytes of a file before it is set aside; one older one is kept."""


class Journal:
    """The log files of one data folder. Services write little, so that each line opens its file anew."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / LOGS

    def keep(self, name: str, line: str) -> None:
        """Add a line of the service to its file; a full disk costs the line, not the service."""
        path = self._folder / f"{name}.log"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LARGEST_FILE:
                path.replace(path.with_suffix(".log.1"))
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError:
            return


def readable(line: str) -> str | None:
    """A service's line for a person: warnings and errors in words, other texts as they are, nothing of the rest."""
    try:
        told = orjson.loads(line)
        level, message = told.pop("level"), told.pop("message")
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return line
    if level in {"debug", "info"}:
        return None
    more = ", ".join(f"{name} {value}" for name, value in told.items() if name not in {"ts", "logger", "stack"})
    return f"{level}: {message}" + (f" ({more})" if more else "")
