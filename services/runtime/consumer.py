"""The one consumer loop: share the partitions, read, deliver, then work off notes; and what to do when that fails."""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from schemas.topics import Topic
from services.runtime.delivering import Courier, Delivery, Fence, Fenced, Handler
from services.runtime.leases import Lease, Place
from services.runtime.lifecycle import Service
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.metrics import LAG, REPEATS
from services.runtime.postgres import Database, is_conflict, is_outage
from services.runtime.reading import Reader

__all__ = ["Delivery", "Fence", "Fenced", "Handler", "consume"]

BATCH_RECORDS = 1_000
IDLE_SECONDS = 0.1
NOTES_A_ROUND = 10
LAG_SECONDS = 5.0
SETTLE_SECONDS = 0.5
FIRST_SETBACK_SECONDS = 0.05
LONGEST_SETBACK_SECONDS = 5.0
FIRST_NOTES_SECONDS = 1.0
LONGEST_NOTES_SECONDS = 60.0
HARMLESS_SETBACKS = 5
"""So many in a row go by without the service being called unready."""

logger = logging.getLogger(__name__)


async def consume(  # noqa: PLR0913 - all but two by name
    log: Log, database: Database, *, group: str, topics: Sequence[Topic], handler: Handler, service: Service
) -> None:
    """Consume `topics` for `group` beside any number of others, until the service is asked to stop.

    `database` must not be shared with another consumer: its sessions are the sign of life. Returns after the batch
    under way. Raises StartError when too many records in a row have to be put aside: then this program is at fault.
    """
    places = [Place(topic.name, number) for topic in topics for number in range(topic.partitions)]
    lease = Lease(database, log.log_id, group, places)
    reader = Reader(log)
    courier = Courier(database, log.log_id, group, handler, reader)
    consumer = _Consumer(log, group, lease, reader, courier, handler, service)
    try:
        await consumer.run()
    finally:
        await consumer.end()


@dataclass
class _Consumer:
    """The loop, and what it remembers from round to round."""

    log: Log
    group: str
    lease: Lease
    reader: Reader
    courier: Courier
    handler: Handler
    service: Service

    def __post_init__(self) -> None:
        self._keeping: asyncio.Task[None] | None = None
        self._renewals_seen = 0
        self._settle_again = 0.0
        self._setbacks = 0
        self._batch_records = BATCH_RECORDS
        self._notes_left = False
        self._notes_failed = 0
        self._notes_again = 0.0
        self._lag_again = 0.0

    async def run(self) -> None:
        """Rounds until the service stops. A setback drops what was read ahead: the database says where to go on."""
        self.service.health.set("consumer", False, "has not read yet")
        while not self.service.stopping.is_set():
            try:
                await self._round()
                self._setbacks = 0
                self.service.health.set("consumer", True)
            except Exception as error:
                cause = cause_of(error)
                if cause is None:
                    raise
                await self._set_back(cause, error)
            self.service.health.turn()

    async def end(self) -> None:
        """Stop reading, and let go of everything."""
        await self.reader.forget()
        if self._keeping is not None:
            self._keeping.cancel()
            await self.lease.leave()

    async def _round(self) -> None:
        await self._hold_share()
        batch = await self.reader.next_batch(self._batch_records, 0 if self._notes_left else IDLE_SECONDS)
        if batch:
            await self.courier.deliver(batch)
            self._batch_records = min(self._batch_records * 2, BATCH_RECORDS)
        self._notes_left = await self._work_notes()
        await self._measure_lag()

    async def _hold_share(self) -> None:
        """After each renewal of the lease, and more often while a partition that is ours is still held by another."""
        if self._keeping is None:
            await self.lease.join()
            self._keeping = asyncio.create_task(self.lease.keep())
        if self._keeping.done():
            self._keeping.result()
        missing = len(self.reader.places) < len(self.lease.wanted) and time.monotonic() > self._settle_again
        if missing or self._renewals_seen != self.lease.renewals:
            self._renewals_seen = self.lease.renewals
            self._settle_again = time.monotonic() + SETTLE_SECONDS
            await self.reader.hold(await self.lease.settle())

    async def _set_back(self, cause: str, error: Exception) -> None:
        """Wait, longer each time; come back with a smaller batch, should its size have been the trouble."""
        REPEATS.labels(self.group, cause).inc()
        self._setbacks += 1
        if cause == "outage" or self._setbacks > HARMLESS_SETBACKS:
            reason = f"{cause}: {describe(error)}"
            self.service.health.set("consumer", False, reason)
            logger.warning("waiting", extra={"group": self.group, "reason": reason, "setbacks": self._setbacks})
        self._batch_records = max(1, self._batch_records // 4)
        self._renewals_seen = self._settle_again = 0
        await self.reader.forget()
        longest = backoff(FIRST_SETBACK_SECONDS, self._setbacks, LONGEST_SETBACK_SECONDS)
        pause = random.uniform(longest / 2, longest)  # noqa: S311 - so that two who clash do not clash again
        with suppress(TimeoutError):
            await asyncio.wait_for(self.service.stopping.wait(), pause)

    async def _work_notes(self) -> bool:
        """Whether notes are left after so many chunks. A failure that is no setback is loud, yet reading goes on."""
        if time.monotonic() < self._notes_again:
            return False
        try:
            for _ in range(NOTES_A_ROUND):
                if not await self.handler.work_notes():
                    break
            else:
                return True
        except Exception as error:
            if cause_of(error) is not None:
                raise
            self._notes_failed += 1
            self._notes_again = time.monotonic() + backoff(
                FIRST_NOTES_SECONDS, self._notes_failed, LONGEST_NOTES_SECONDS
            )
            self.service.health.set("notes", False, describe(error))
            logger.exception("notes cannot be worked off; trying again", extra={"group": self.group})
        else:
            self._notes_failed = 0
            self.service.health.set("notes", True)
        return False

    async def _measure_lag(self) -> None:
        if time.monotonic() < self._lag_again:
            return
        self._lag_again = time.monotonic() + LAG_SECONDS
        held = list(self.reader.places)
        for topic in {place.topic for place in self.lease.places}:
            ends = await self.log.ends(topic)
            lag = sum(ends[place.partition] - self.reader.position(place) for place in held if place.topic == topic)
            LAG.labels(self.group, topic).set(lag)


def cause_of(error: Exception) -> str | None:
    """Why a batch must be begun again; None when that would not help."""
    if isinstance(error, Fenced):
        return "fenced"
    if is_conflict(error):
        return "conflict"
    return "outage" if is_outage(error) else None


def backoff(first: float, failures: int, longest: float) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, for any number of them."""
    return min(first * 2.0 ** min(failures, 30), longest)
