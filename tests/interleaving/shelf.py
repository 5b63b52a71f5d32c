"""A log on a shelf, and consumers that read it without a loop and without leases: who holds what, a test decides."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID
from zlib import crc32

from schemas.codec import encode, model_of
from schemas.topics import READERS, TOPICS, key_of, topic_of
from services.runtime.delivering import Courier, queries
from services.runtime.leases import Place
from services.runtime.log import Record
from services.runtime.postgres import Database, columns
from services.runtime.reading import Reader, Taken
from tests.faulty import SERVICES
from tests.rewriting import REWRITES_LEDGER

LOG_ID = UUID(int=4)
PLACES = [Place(topic.name, number) for topic in TOPICS for number in range(topic.partitions)]

POSITIONS = "SELECT topic, partition, next_offset FROM positions WHERE log_id = $1 AND consumer_group = $2"
HURRY = "UPDATE notes SET due_at = '-infinity' WHERE failures = 0 AND due_at > clock_timestamp()"
"""What waits only so as to be done with others need not wait here; what failed does."""
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'state'::regnamespace AND relkind = 'r' ORDER BY relname"


def put_on_shelf(payloads: Iterable[dict[str, Any]]) -> list[Taken]:
    """These events in the order in which they arrived, each at its place and offset."""
    shelf: list[Taken] = []
    ends = dict.fromkeys(PLACES, 0)
    for payload in payloads:
        event = model_of(payload)
        topic, key = topic_of(event.type), key_of(event)
        place = Place(topic.name, crc32(key) % topic.partitions)
        shelf.append(Taken(place, Record(ends[place], key, encode(payload))))
        ends[place] += 1
    return shelf


class Consumer:
    """One consumer of a group, with the product's handler and fence."""

    def __init__(
        self, database: Database, group: str, shelf: Sequence[Taken], holds: Collection[Place] = PLACES
    ) -> None:
        self.database = database
        self.group = group
        self._shelf = [taken for taken in shelf if taken.place in holds and taken.place.topic in _read_by(group)]

    async def begin(self) -> None:
        """Begin from the positions, as a process that starts, or one after a setback."""
        rows = await self.database.fetch(POSITIONS, LOG_ID, self.group)
        self.handler = SERVICES[self.group](self.database)
        self._reader = Reader(None)  # type: ignore[arg-type] # it only keeps the positions: batches are cut by the test
        await self._reader.hold({Place(row["topic"], row["partition"]): row["next_offset"] for row in rows})
        self._courier = Courier(self.database, LOG_ID, self.group, self.handler, self._reader)

    def unread(self) -> list[Taken]:
        """What is left of its part of the shelf, as far as it knows."""
        return [taken for taken in self._shelf if taken.record.offset >= self._reader.position(taken.place)]

    async def deliver(self, batch: Sequence[Taken]) -> None:
        """Handle records, the next of each place. Raises Fenced, outages and conflicts."""
        await self._courier.deliver(batch)

    async def work_notes(self) -> bool:
        """Work off one chunk; whether there was one."""
        return await self.handler.work_notes()


async def begin_log_anew(database: Database) -> None:
    """As if nothing had ever been read."""
    await database.execute(REWRITES_LEDGER + ";".join(f"DELETE FROM state.{name}" for name in await _tables(database)))
    for group in READERS:
        await database.execute(queries.make_positions, LOG_ID, group, *columns(PLACES))


async def read(database: Database, group: str, shelf: Sequence[Taken]) -> Consumer:
    """One consumer reads what is left of the shelf, in one batch; the notes stay."""
    consumer = Consumer(database, group, shelf)
    await consumer.begin()
    if unread := consumer.unread():
        await consumer.deliver(unread)
    return consumer


async def read_to_the_end(database: Database, shelf: Sequence[Taken]) -> None:
    """One consumer of each group reads what is left, and all notes are worked off."""
    consumers = [await read(database, group, shelf) for group in READERS]
    while any([await consumer.work_notes() for consumer in consumers]) or await database.execute(HURRY) != "UPDATE 0":
        pass


async def remember(database: Database) -> None:
    """Keep a copy of all that is derived and stored, for `recall`."""
    tables = await _tables(database)
    copies = [f"CREATE TABLE remembered.{name} AS TABLE state.{name}" for name in tables]
    await database.execute(";".join(["DROP SCHEMA IF EXISTS remembered CASCADE", "CREATE SCHEMA remembered", *copies]))


async def recall(database: Database) -> None:
    """As it was at `remember`."""
    tables = await _tables(database)
    gone = [f"DELETE FROM state.{name}" for name in tables]  # credits go before their entries, and come after them
    back = [f"INSERT INTO state.{name} OVERRIDING SYSTEM VALUE TABLE remembered.{name}" for name in reversed(tables)]
    await database.execute(REWRITES_LEDGER + ";".join(gone + back))


async def left_undone(database: Database) -> list[str]:
    """What consumers gave up on: records that were put aside, notes that fail."""
    letters = await database.fetch("SELECT topic, partition, log_offset, reason, detail FROM dead_letters")
    notes = await database.fetch("SELECT consumer_group, kind, key, failures FROM notes")
    return [str(row) for row in (*letters, *notes)]


def _read_by(group: str) -> set[str]:
    return {topic.name for topic in READERS[group]}


async def _tables(database: Database) -> list[str]:
    return [row["relname"] for row in await database.fetch(TABLES)]
