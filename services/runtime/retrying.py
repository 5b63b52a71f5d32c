"""Dead letters once more, after a fix: through the handlers that failed on them, and off the list when it goes well.

A letter goes away in the transaction that makes its effects permanent, so it has them once, whatever crashes, and two
who retry at once do no harm. That it comes late does none either: the state depends on no order. What a record's first
try had stored before it failed is found by the next one, and settled with it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from schemas.codec import UndecodableError, decode
from services.runtime import dead_letters
from services.runtime.backoff import backoff
from services.runtime.delivering import Delivery, Handler
from services.runtime.logs import describe
from services.runtime.postgres import Connection, Database, Record, is_conflict, is_outage
from services.runtime.settings import StartError

CHUNK = 50
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")


class Letter(NamedTuple):
    """A letter that can be read now."""

    number: int
    delivery: Delivery


@dataclass
class Outcome:
    """What became of the letters, as far as it is."""

    through: int = 0
    """Were looked at."""
    done: int = 0
    """Had their effects and are gone; in a dry run: can be read."""
    failed: Counter[str] = field(default_factory=Counter)
    """Stay, by their reason now."""

    @property
    def reasons(self) -> str:
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self.failed.items()))


@dataclass(frozen=True)
class Retrial:
    """The letters of one group, chunk by chunk, through its handler; without one it is only tried to read them."""

    database: Database
    handler: Handler | None
    outcome: Outcome
    tell: Callable[[str], None]
    """Is told what it waits for: an outage is no letter's fault, and lasts until it is over."""

    async def take(self, numbers: Sequence[int]) -> None:
        """Retry these letters; those that another has retried in the meantime are passed over."""
        letters = []
        for row in await self._patiently(lambda: dead_letters.by_number(self.database, numbers)):
            try:
                letters.append(_read(row))
            except UndecodableError as error:
                await self._fail(row["id"], error.reason, error)
        if self.handler is None:
            self.outcome.done += len(letters)
        elif letters:
            await self._handle(self.handler, letters)

    async def _handle(self, handler: Handler, letters: Sequence[Letter]) -> None:
        """All at once; where that fails their halves, down to the letter that fails alone."""
        try:
            self.outcome.done += await self._patiently(lambda: self._effects(handler, letters))
        except StartError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is what is wrong with the letter
            if len(letters) == 1:
                await self._fail(letters[0].number, dead_letters.HANDLER_FAILED, error)
                return
        else:
            return
        await self._handle(handler, letters[: len(letters) // 2])
        await self._handle(handler, letters[len(letters) // 2 :])

    async def _effects(self, handler: Handler, letters: Sequence[Letter]) -> int:
        removed = 0

        async def fence(connection: Connection) -> None:
            nonlocal removed
            removed = await dead_letters.remove(connection, [letter.number for letter in letters])

        await handler.handle([letter.delivery for letter in letters], fence)
        return removed

    async def _fail(self, number: int, reason: str, error: Exception) -> None:
        self.outcome.failed[reason] += 1
        if self.handler is not None:
            detail = describe(error)
            await self._patiently(lambda: dead_letters.note_failure(self.database, number, reason, detail))

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """The step's answer, however often an outage or a clash with a running consumer comes in between."""
        failures = 0
        while True:
            try:
                return await step()
            except Exception as error:
                if not (is_outage(error) or is_conflict(error)):
                    raise
                failures += 1
                self.tell(f"waiting: {describe(error)}")
            await asyncio.sleep(backoff(FIRST_PAUSE_SECONDS, failures, LONGEST_PAUSE_SECONDS))


async def retry(
    database: Database,
    handlers: Mapping[str, Handler | None],
    chosen: Mapping[str, Sequence[int]],
    tell: Callable[[int, str], None],
) -> Outcome:
    """Retry the chosen letters by group; a group whose handler is None is only read, and nothing of it changes.

    `tell` hears how many letters are through, and what is being waited for, if anything.
    """
    outcome = Outcome()
    for group, numbers in chosen.items():
        retrial = Retrial(database, handlers[group], outcome, lambda waiting: tell(outcome.through, waiting))
        for start in range(0, len(numbers), CHUNK):
            await retrial.take(numbers[start : start + CHUNK])
            outcome.through += len(numbers[start : start + CHUNK])
            tell(outcome.through, "")
    return outcome


def _read(row: Record) -> Letter:
    """Raises UndecodableError."""
    place = row["topic"], row["partition"], row["log_offset"]
    return Letter(row["id"], Delivery(*place, row["value"], *decode(row["value"])))
