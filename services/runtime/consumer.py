"""The one consumer loop: share the partitions, read, deliver, then work off notes; and what to do when that fails."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from schemas.topics import Topic
from services.runtime.backoff import backoff
from services.runtime.clock import utc_now
from services.runtime.continuity import check_continuity
from services.runtime.delivering import FUSE, Courier, Fenced, Handler
from services.runtime.leases import Lease, Place
from services.runtime.lifecycle import Service
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.metrics import LAG_RECORDS, LAG_SECONDS, PARTITIONS_HELD, REPEATS
from services.runtime.notes import failing_notes, hasten_failing_notes
from services.runtime.postgres import Database, is_conflict, is_of_another_version, is_outage, load_queries
from services.runtime.reading import Reader, received_at
from services.runtime.rules import Replaced
from services.runtime.settings import StartError

BATCH_RECORDS = 1_000
IDLE_SECONDS = 0.1
NOTES_A_ROUND = 10
LOOK_SECONDS = 5.0
FORMER_SECONDS = 0.5
SETTLE_SECONDS = 0.5
LAST_PUBLISH_SECONDS = 1.0
"""For a commit to Kafka that is under way at the end: what is cut off in the middle leaves a task behind."""

FIRST_SETBACK_SECONDS = 0.05
LONGEST_SETBACK_SECONDS = 5.0
FIRST_NOTES_SECONDS = 1.0
LONGEST_NOTES_SECONDS = 60.0
HARMLESS_SETBACKS = 5
"""So many in a row go by without the service being called unready."""

queries = load_queries(__package__)
logger = logging.getLogger(__name__)


async def consume(  # noqa: PLR0913 - all but two by name
    logs: Sequence[Log],
    database: Database,
    *,
    group: str,
    topics: Sequence[Topic],
    handler: Handler,
    service: Service,
    fuse: float = FUSE,
) -> None:
    """Consume `topics` for `group` beside any number of others, until the service is asked to stop.

    Of several logs those before the last are former ones: they are read to their ends first, and looked at now and then
    for what a collector that was left on them may still append. `database` must not be shared with another consumer:
    its sessions are the sign of life. Returns after the batch under way; also when a replay has put another state in
    force, whose rules may be others. Raises StartError when more than `fuse` records in a row have to be put aside:
    then this program is at fault.
    """
    *former, current = logs
    service.health.set("consumer", False, "has not read yet")

    async def read(log: Log, until: Callable[[], Awaitable[bool]], every: float) -> None:
        places = [Place(topic.name, number) for topic in topics for number in range(topic.partitions)]
        lease = Lease(database, log.log_id, group, places)
        reader = Reader(log)
        courier = Courier(database, log.log_id, group, handler, reader, fuse)
        consumer = _Consumer(log, database, group, lease, reader, courier, handler, service, until, every)
        try:
            await consumer.run()
        finally:
            await consumer.end()

    async def unread(log: Log) -> int:
        ends = {topic.name: await log.ends(topic.name) for topic in topics}
        read: int = await database.fetchval(queries.records_read, log.log_id, group)
        return sum(map(sum, ends.values())) - read

    async def any_unread() -> bool:
        return any([await unread(log) for log in former])

    async def none_unread() -> bool:
        return not await any_unread()

    try:
        while not service.stopping.is_set():
            for log in former:
                await read(log, none_unread, FORMER_SECONDS)
            await read(current, any_unread, LOOK_SECONDS)
    except Replaced:
        logger.info("a replay has put another state in force", extra={"group": group})


@dataclass
class _Consumer:
    """The loop over one log, and what it remembers from round to round. Every so often it asks whether it is over."""

    log: Log
    database: Database
    group: str
    lease: Lease
    reader: Reader
    courier: Courier
    handler: Handler
    service: Service
    until: Callable[[], Awaitable[bool]]
    until_every: float

    def __post_init__(self) -> None:
        self._keeping: asyncio.Task[None] | None = None
        self._renewals_seen = 0
        self._settle_again = 0.0
        self._setbacks = 0
        self._batch_records = BATCH_RECORDS
        self._notes_left = False
        self._notes_failed = 0
        self._notes_again = 0.0
        self._notes_hastened = False
        self._lag_again = 0.0
        self._until_again = 0.0
        self._over = False
        self._publishing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Rounds until the service stops. A setback drops what was read ahead: the database says where to go on."""
        while not self._over and not self.service.stopping.is_set():
            try:
                await self._round()
                self._setbacks = 0
                self.service.health.set("consumer", True)
            except Exception as error:
                cause = cause_of(error)
                if cause is None:
                    self.service.health.set("consumer", False, describe(error))
                    raise
                await self._set_back(cause, error)
            self.service.health.turn()

    async def end(self) -> None:
        """Stop reading, and let go of everything."""
        if self._publishing is not None:
            await asyncio.wait([self._publishing], timeout=LAST_PUBLISH_SECONDS)
            self._publishing.cancel()
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
        await self._look_around()

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
            positions = await self.lease.settle()
            new = positions.keys() - self.reader.places
            await check_continuity(self.log, self.database, self.group, new)
            await self.reader.hold(positions)

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
            if not self._notes_hastened:
                await hasten_failing_notes(self.database, self.group)
                self._notes_hastened = True
            left = False
            for _ in range(NOTES_A_ROUND):
                left = await self.handler.work_notes()
                if not left:
                    break
        except StartError:
            raise
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
            return left
        return False

    async def _look_around(self) -> None:
        """What need not happen in each round: measure, tell the log's tools how far we are, ask whether to go on."""
        now = time.monotonic()
        if now > self._lag_again:
            self._lag_again = now + LOOK_SECONDS
            held = {place: self.reader.position(place) for place in self.reader.places}
            await self._measure_lag(held)
            if not self._notes_failed:
                failing = await failing_notes(self.database, self.group)
                detail = f"{failing} fail; the log lines say why" if failing else ""
                self.service.health.set("notes", failing == 0, detail)
            if held and (self._publishing is None or self._publishing.done()):
                self._publishing = asyncio.create_task(self.log.publish(self.group, held))
        if now > self._until_again:
            self._until_again = now + self.until_every
            self._over = await self.until()

    async def _measure_lag(self, held: Mapping[Place, int]) -> None:
        behind = False
        for topic in {place.topic for place in self.lease.places}:
            ends = await self.log.ends(topic)
            positions = {place: position for place, position in held.items() if place.topic == topic}
            lag = sum(ends[place.partition] - position for place, position in positions.items())
            behind = behind or lag > 0
            PARTITIONS_HELD.labels(self.group, topic).set(len(positions))
            LAG_RECORDS.labels(self.group, topic).set(lag)
        oldest = min(filter(None, map(received_at, self.reader.waiting())), default=None)
        if oldest is not None:
            LAG_SECONDS.labels(self.group).set(max(0.0, (utc_now() - oldest).total_seconds()))
        elif not behind:
            LAG_SECONDS.labels(self.group).set(0)


def cause_of(error: Exception) -> str | None:
    """Why a batch must be begun again; None when that would not help."""
    if isinstance(error, Fenced):
        return "fenced"
    if is_conflict(error):
        return "conflict"
    if is_of_another_version(error):
        return "another version"
    return "outage" if is_outage(error) else None
