"""From records to effects: decode, handle, commit behind the fence, and put aside what can be neither read nor handled.

Where a group is in the log stands in the database (`positions`), and moves in the transaction that makes the effects of
a batch permanent. It moves only from the value that the batch was read at: whoever lost a partition in between, and
whoever repeats a batch that was committed after all, is told so, rolls back and reads again. So each record has its
effects once, whatever crashes.

A program that can read or handle nothing must not put the whole log aside. So it stops when too many records in a row
fail, and does not go on when it is started again: how many failed last is told by the letters that stand right behind
the positions.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from schemas.codec import UndecodableError, decode
from schemas.event import Event
from services.runtime.continuity import checksum
from services.runtime.dead_letters import HANDLER_FAILED, DeadLetter, letters_at_the_end, put_aside
from services.runtime.leases import Place
from services.runtime.log import Record
from services.runtime.logs import describe
from services.runtime.metrics import BATCH_SECONDS, CONSUMED, DEAD_LETTERS
from services.runtime.postgres import (
    Connection,
    Database,
    columns,
    is_conflict,
    is_of_another_version,
    is_outage,
    load_queries,
)
from services.runtime.reading import Reader, Taken
from services.runtime.settings import StartError

FUSE = 50
"""So many dead letters in a row are bad luck; more are a bad program."""

queries = load_queries(__package__)
logger = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """One record that could be read: where it is, its bytes, its event, and the event's JSON as it was logged."""

    topic: str
    partition: int
    offset: int
    value: bytes
    event: Event
    body: dict[str, Any]


Fence = Callable[[Connection], Awaitable[None]]
"""Moves the positions past the batch, in the transaction of the connection. Raises Fenced."""


class Fenced(Exception):
    """Another consumer has moved on from where this batch began: roll back and leave the batch."""


class TooMany(Exception):
    """Too many records in a row would be put aside with this batch; its halves may do."""


class Handler(Protocol):
    """What a service does with its records."""

    async def handle(self, batch: Sequence[Delivery], fence: Fence) -> None:
        """The whole batch; `fence` is awaited exactly once, inside the last transaction, which must be durable.

        May be called again with the same records, alone or among others, after a crash between any two steps. What it
        raises decides: an outage is waited out, a conflict repeated, and a record that fails alone is put aside.
        """

    async def work_notes(self) -> bool:
        """Work off one bounded chunk of the notes left for this service; False when there was none."""


class Courier:
    """Brings the batches of one consumer to its handler, and moves the reader past what is committed."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a consumer consists of
        self,
        database: Database,
        log_id: UUID,
        group: str,
        handler: Handler,
        reader: Reader,
        fuse: float = FUSE,
    ) -> None:
        self._database = database
        self._log_id = log_id
        self._group = group
        self._handler = handler
        self._reader = reader
        self._fuse = fuse
        self._aside_in_a_row: int | None = None
        """None until it matters: then the letters of the processes before this one count too."""

    async def deliver(self, batch: Sequence[Taken]) -> None:
        """The batch; where that fails its halves, each by itself, until what fails alone is found and put aside.

        Raises Fenced, outages, conflicts, what is of another version, and StartError when the fuse is exceeded.
        """
        good, bad = decode_batch(batch)
        try:
            await self._commit(batch, good, bad)
        except (Fenced, StartError):
            raise
        except Exception as error:
            if is_conflict(error) or is_outage(error) or is_of_another_version(error):
                raise
            if len(batch) == 1:
                if not good:
                    raise
                logger.exception("a record fails", extra={"group": self._group, "place": good[0][:3]})
                letter = DeadLetter(*good[0][:3], HANDLER_FAILED, describe(error), good[0].value)
                await self._commit(batch, [], [letter])
                return
        else:
            return
        await self.deliver(batch[: len(batch) // 2])
        await self.deliver(batch[len(batch) // 2 :])

    async def _commit(self, batch: Sequence[Taken], good: Sequence[Delivery], bad: Sequence[DeadLetter]) -> None:
        """The effects of `good`, the letters `bad` and the step past `batch`: all of it or nothing."""
        aside = await self._spare_the_fuse(batch, bad)
        ends = {taken.place: taken.record for taken in batch}
        calls = 0

        async def fence(connection: Connection) -> None:
            nonlocal calls
            calls += 1
            await self._move(connection, ends)
            await put_aside(connection, self._log_id, self._group, bad)

        with BATCH_SECONDS.labels(self._group).time():
            if good:
                await self._handler.handle(good, fence)
            else:
                async with self._database.transaction() as connection:
                    await fence(connection)
        if calls != 1:
            raise StartError(f"{type(self._handler).__name__} called the fence {calls} times in a batch; once is right")
        self._aside_in_a_row = aside
        for place, last in ends.items():
            self._reader.move(place, last.offset + 1)
        self._count(batch, bad)

    async def _spare_the_fuse(self, batch: Sequence[Taken], bad: Sequence[DeadLetter]) -> int:
        """How many records in a row are put aside with `bad`, up to the end of `batch`.

        Raises StartError when they are too many; of a batch of several TooMany, for the first of them may not be.
        """
        if not bad:
            return 0
        if self._aside_in_a_row is None:
            self._aside_in_a_row = await letters_at_the_end(self._database, self._log_id, self._group, FUSE)
        longest, at_the_end = aside_in_a_row(self._aside_in_a_row, batch, bad)
        if longest > self._fuse and len(batch) > 1:
            raise TooMany
        if longest > self._fuse:
            raise StartError(
                f"more than {self._fuse} records in a row cannot be read or handled, the last because of "
                f"{bad[-1].reason} ({bad[-1].detail}). See `closedloop deadletters list`, run a program that can "
                f"handle them, then `closedloop deadletters retry --all`; what fails again is let pass from then on"
            )
        return at_the_end

    async def _move(self, connection: Connection, ends: Mapping[Place, Record]) -> None:
        moves = sorted(
            (*place, self._reader.position(place), last.offset + 1, checksum(last)) for place, last in ends.items()
        )
        tag = await connection.execute(queries.move_positions, self._log_id, self._group, *columns(moves))
        if tag != f"UPDATE {len(moves)}":
            raise Fenced(f"{tag} of {len(moves)}")

    def _count(self, batch: Sequence[Taken], bad: Sequence[DeadLetter]) -> None:
        for topic, records in Counter(taken.place.topic for taken in batch).items():
            CONSUMED.labels(self._group, topic).inc(records)
        for letter in bad:
            logger.warning("put aside", extra={"group": self._group, "place": letter[:3], "reason": letter.reason})
            DEAD_LETTERS.labels(self._group, letter.reason).inc()


def aside_in_a_row(before: int, batch: Iterable[Taken], bad: Iterable[DeadLetter]) -> tuple[int, int]:
    """The longest row of records put aside, and the one that the batch ends with; `before` is that before the batch."""
    aside = {letter[:3] for letter in bad}
    longest = row = before
    for place, record in batch:
        row = row + 1 if (*place, record.offset) in aside else 0
        longest = max(longest, row)
    return longest, row


def decode_batch(batch: Iterable[Taken]) -> tuple[list[Delivery], list[DeadLetter]]:
    """The records that can be read, and letters for the others, both in order."""
    good, bad = [], []
    for (topic, partition), (offset, _, value) in batch:
        try:
            good.append(Delivery(topic, partition, offset, value, *decode(value)))
        except UndecodableError as error:
            bad.append(DeadLetter(topic, partition, offset, error.reason, describe(error), value))
    return good, bad
