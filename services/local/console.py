"""What `closedloop up` shows: its own lines, those of the services with their names before them, and one screen."""

import os
import sys
from collections.abc import Collection
from threading import Lock
from typing import TextIO

from pydantic import SecretStr

from services.local.journal import LOGS, Journal, readable
from services.runtime.settings import GENERATED, KEYS_FILE, Settings

COLOURS = {"collector": 36, "identity": 35, "attributor": 33, "reports": 32}
"""SGR numbers of ECMA-48, one for each service."""


class Console:
    """Writes whole lines from several threads to one stream; a stream that has gone away is no reason to stop."""

    def __init__(self, stream: TextIO | None = None, journal: Journal | None = None) -> None:
        self._stream = stream or sys.stdout
        self._journal = journal
        self._coloured = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._lock = Lock()

    def say(self, line: str) -> None:
        """A line (or screen) of our own."""
        self._write(line + "\n")

    def relay(self, name: str, line: str) -> None:
        """A line that the service `name` wrote; with a journal all go there, and here what a person should see."""
        line = line.rstrip("\n")
        if self._journal is not None:
            with self._lock:
                self._journal.keep(name, line)
            shown = readable(line)
            if shown is None:
                return
            line = shown
        prefix = f"{name:<10} | "
        if self._coloured:
            prefix = f"\033[{COLOURS.get(name, 34)}m{prefix}\033[0m"
        self._write(f"{prefix}{line}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError:
                self._silence()

    def _silence(self) -> None:
        """Send everything from now on, and what is still buffered, nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def welcome(settings: Settings, made: Collection[str]) -> str:
    """The screen shown when everything runs; `made` names the keys made just now."""
    keys = []
    for name in GENERATED:
        value = getattr(settings, name)
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        keys.append(f"  {'CLOSEDLOOP_' + name.upper():<26} {plain}{'   (new)' if name in made else ''}")
    return "\n".join(
        [
            "",
            "Closed Loop is running.",
            "",
            f"  Collector   {settings.collector_url}",
            f"  Dashboard   {settings.reports_url}   (log in with the admin token)",
            "",
            *keys,
            "",
            "  Put this line into every page of your website:",
            f'  <script async src="{settings.collector_url}/loop.js" data-key="{settings.write_key}"></script>',
            "",
            *(
                [f"  Log        {settings.broker}   (topics {settings.kafka_prefix}...)"]
                if settings.kafka_servers
                else []
            ),
            f"  Data       {settings.data_dir}   (with {KEYS_FILE}: back both up together)",
            f"  Logs       {settings.data_dir / LOGS}",
            "  Ctrl-C stops everything; the next start goes on where this one ended.",
            "",
        ]
    )
