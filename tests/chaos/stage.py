"""What a fault can lay hands on while the load goes on, and the questions that are asked of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from schemas.codec import decode
from schemas.topics import TOPICS
from services.local.postgres import EmbeddedPostgres
from services.reports.digest import digest_parts
from services.runtime.open_log import open_log
from services.runtime.postgres import connect
from services.runtime.settings import Settings
from tests.brokers import Brokers
from tests.chaos.fleet import Fleet

LOOK_SECONDS = 0.25
READ_BYTES = 4_000_000


@dataclass
class Stage:
    """One installation under load. A fault sets `back_at` when all that it took away is there again."""

    fleet: Fleet
    postgres: EmbeddedPostgres
    brokers: Brokers
    rng: random.Random
    tell: Callable[[str], None]
    back_at: float | None = None

    @property
    def settings(self) -> Settings:
        return self.fleet.settings

    def back(self, what: str) -> None:
        """All is there again, `what` was the last."""
        self.back_at = time.monotonic()
        self.tell(f"{what} is back")

    async def status(self) -> dict[str, Any] | None:
        """What the reports API answers; None when it does not."""
        headers = {"Authorization": f"Bearer {self.settings.admin_token.get_secret_value()}"}
        async with httpx.AsyncClient(headers=headers, timeout=5) as client:
            try:
                answer = await client.get(f"{self.settings.reports_url}/api/v1/status")
            except httpx.TransportError:
                return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    async def wait_until(self, holds: Callable[[dict[str, Any]], bool], what: str, seconds: float) -> dict[str, Any]:
        """The status once it `holds`. Raises TimeoutError with the last status."""
        deadline = time.monotonic() + seconds
        status = None
        while time.monotonic() < deadline:
            status = await self.status()
            if status is not None and holds(status):
                return status
            await asyncio.sleep(LOOK_SECONDS)
        raise TimeoutError(f"not {what} after {seconds:.0f} s: {status}")

    async def digest_parts(self) -> dict[str, str]:
        async with connect(self.settings.database_url.get_secret_value(), application="oracle", size=1) as database:
            return await digest_parts(database)

    async def logged(self) -> Counter[str]:
        """How many records each event_id has in the log."""
        found: Counter[str] = Counter()
        async with open_log(self.settings) as log:
            for topic in TOPICS:
                for partition, end in enumerate(await log.ends(topic.name)):
                    offset = 0
                    while offset < end:
                        records = await log.read(topic.name, partition, offset, READ_BYTES, 1)
                        found.update(decode(record.value)[0].event_id for record in records)
                        offset = records[-1].offset + 1 if records else offset
        return found
