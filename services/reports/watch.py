"""The watcher: looks at the log and the state from outside of the consumers, because a dead one tells nothing."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, NoReturn

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.credit import MODELS
from schemas.topics import READERS, TOPICS
from services.reports.standing import Unread, unread_of
from services.reports.store import Store
from services.reports.watched import Look, Notes, families_of
from services.runtime.clock import utc_now
from services.runtime.health import Health
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.postgres import Database, load_queries
from services.runtime.reading import received_at

EVERY_SECONDS = 15.0
AT_MOST_SECONDS = 10.0
READ_BYTES = 64 * 1024
READ_WAIT_SECONDS = 1.0
PAGE_DEALS = 1_000
"""So many deals are checked at a look; all of them in the course of several."""

queries = load_queries(__package__, "watch.sql")
logger = logging.getLogger(__name__)


class Walk(NamedTuple):
    """A walk through all deals, page by page and then from the start again, for those that do not balance."""

    provider: str = ""
    deal_id: str = ""
    found: int = 0
    """On this walk so far."""
    found_before: int = 0
    """On the whole walk before."""

    @property
    def unbalanced(self) -> int:
        """One that was mended stays told until its walk is over; a new one is told at once."""
        return max(self.found, self.found_before)

    def step(self, deals: int, provider: str | None, deal_id: str | None, unbalanced: int) -> "Walk":
        """One page further: how many deals it had, the last of them, how many did not balance.

        Behind a page that is not full the next walk begins.
        """
        found = self.found + unbalanced
        if deals < PAGE_DEALS or provider is None or deal_id is None:
            return Walk(found_before=found)
        return Walk(provider, deal_id, found, self.found_before)


class Watcher(Collector):
    """Tells Prometheus what the last look saw; nothing while it cannot look, for an old figure would be believed."""

    def __init__(
        self, store: Store, database: Database, logs: Sequence[Log], now: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._database = database
        self._logs = logs
        self._now = now
        self._walk = Walk()
        self._last: Look | None = None

    async def run(self, health: Health) -> NoReturn:
        """Look every quarter of a minute, while the service is ready; with one connection, and for a bounded time."""
        while True:
            ready = health.ready and bool(self._logs)
            await self._try_to_look(ready=ready)
            await asyncio.sleep(EVERY_SECONDS if ready else 1)

    async def _try_to_look(self, *, ready: bool) -> None:
        look = None
        try:
            if ready:
                async with asyncio.timeout(AT_MOST_SECONDS):
                    look = await self.look()
        except Exception as error:  # noqa: BLE001 - whatever stops the looking must not stop the reports
            logger.warning("cannot look at the consumers; trying again", extra={"reason": describe(error)})
        self._last = look

    async def look(self) -> Look:
        """The ends of the logs first, the readers after them: what is not read by then is behind."""
        ends = [{topic.name: await log.ends(topic.name) for topic in TOPICS} for log in self._logs]
        positions = (await self._store.backlog([log.log_id for log in self._logs])).positions
        unread = [
            list(unread_of(each, positions.get(log.log_id, {}))) for log, each in zip(self._logs, ends, strict=True)
        ]
        return Look(
            at=self._now(),
            lag_records=lag_records(behind for each in unread for behind in each),
            lag_seconds=await self._lag_seconds(unread),
            notes={row[0]: Notes(*row[1:]) for row in await self._database.fetch(queries.notes_by_group)},
            letters=dict(map(tuple, await self._database.fetch(queries.letters_by_group))),
            consumers=dict(map(tuple, await self._database.fetch(queries.consumers_by_group))),
            unbalanced_deals=await self._unbalanced_deals(),
            database_bytes=await self._database.fetchval(queries.database_bytes),
        )

    async def _unbalanced_deals(self) -> int:
        before = self._walk
        page = await self._database.fetchrow(queries.balance, before.provider, before.deal_id, PAGE_DEALS, list(MODELS))
        assert page is not None
        self._walk = before.step(page["deals"], page["provider"], page["deal_id"], len(page["unbalanced"]))
        if self._walk.unbalanced > before.unbalanced:
            logger.error("the ledger does not balance", extra={"deals": page["unbalanced"][:10]})
        return self._walk.unbalanced

    async def _lag_seconds(self, unread: Sequence[Sequence[Unread]]) -> dict[str, float]:
        """By group the age of the oldest record that it has not read, by the collector's stamp in it."""
        ages = dict.fromkeys(READERS, 0.0)
        for log, behind in zip(self._logs, unread, strict=True):
            seen: dict[tuple[str, int, int], datetime | None] = {}
            for group, topic, partition, offset, _ in behind:
                place = (topic, partition, offset)
                if place not in seen:
                    records = await log.read(*place, READ_BYTES, READ_WAIT_SECONDS)
                    seen[place] = next(filter(None, map(received_at, records)), None)
                stamped = seen[place]
                if stamped is not None:
                    ages[group] = max(ages[group], (self._now() - stamped).total_seconds())
        return ages

    def collect(self) -> Iterator[Metric]:
        return families_of(self._last)


def lag_records(unread: Iterable[Unread]) -> dict[tuple[str, str], int]:
    """Records by group and topic; 0 where a group has read everything."""
    lag = {(group, topic.name): 0 for group, topics in READERS.items() for topic in topics}
    for behind in unread:
        lag[behind.group, behind.topic] += behind.records
    return lag
