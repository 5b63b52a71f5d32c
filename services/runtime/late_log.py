"""A log to append to that may not be there yet, for a service that answers from its first second on."""

import asyncio
from collections.abc import Sequence

from services.runtime.log import Log, Unavailable
from services.runtime.open_log import open_log
from services.runtime.settings import Settings


class LateLog:
    """The log of the settings while `keep_open` runs and it has answered; until then appends are refused at once."""

    def __init__(self) -> None:
        self._log: Log | None = None

    async def keep_open(self, settings: Settings) -> None:
        """Open the log as soon as it answers, and keep it open until cancelled. Raises as `open_log` does."""
        async with open_log(settings) as log:
            self._log = log
            try:
                await asyncio.Event().wait()
            finally:
                self._log = None

    async def append(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """As `Log.append`."""
        if self._log is None:
            raise Unavailable("the log has not answered yet")
        await self._log.append(topic, records)

    async def ends(self, topic: str) -> list[int]:
        """As `Log.ends`."""
        if self._log is None:
            raise ConnectionError("the log has not answered yet")
        return await self._log.ends(topic)
