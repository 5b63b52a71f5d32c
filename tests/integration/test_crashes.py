"""A crash before any statement and any commit: whoever begins again from the positions ends in the undisturbed state."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import accumulate, pairwise
from typing import NamedTuple

import asyncpg
import pytest

from attributor import crediting
from identity import resolver
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.reports.digest import digest
from services.runtime.postgres import Database, connect
from services.runtime.reading import Taken
from tests.closing import differences, present
from tests.interleaving.collisions import COLLISIONS, Batches
from tests.interleaving.shelf import Consumer, begin_log_anew, left_undone, put_on_shelf
from tests.interleaving.stepping import name_of, open_stepped


class Crash(BaseException):
    """The process dies: nothing of ours catches it, and what was not committed is rolled back."""


class Mortal:
    """The database of processes of which each dies before the first statement that none has died before yet.

    A statement is known by the one before it, and by how often the two have come in this life.
    """

    def __init__(self) -> None:
        self.deaths: set[tuple[str, str, int]] = set()
        self._life: list[tuple[str, str]] = []
        self._dying = False

    def be_born(self) -> None:
        self._life, self._dying = [("", "")], True

    async def pace(self, _: asyncpg.Connection, statement: str) -> None:
        step = (self._life[-1][1], name_of(statement))
        self._life.append(step)
        moment = (*step, self._life.count(step))
        if self._dying and moment not in self.deaths:
            self.deaths.add(moment)
            self._dying = False
            raise Crash


class Place(NamedTuple):
    """A database, and another way to it on which processes die."""

    database: Database
    mortal: Mortal
    dying: Database


@pytest.fixture
async def place(loop_dsn: str) -> AsyncIterator[Place]:
    mortal = Mortal()
    async with (
        connect(loop_dsn, application="crashes") as database,
        open_stepped(loop_dsn, "mortal", mortal.pace) as dying,
    ):
        yield Place(database, mortal, dying)


async def live(database: Database, shelf: list[Taken], batch: list[Taken]) -> None:
    """A process with a consumer of each group, from its start on: what is left of the batch, and all notes."""
    consumers = [Consumer(database, group, shelf) for group in (IDENTITY, ATTRIBUTOR)]
    for consumer in consumers:
        await consumer.begin()
        if unread := [taken for taken in consumer.unread() if taken in batch]:
            await consumer.deliver(unread)
    while any([await consumer.work_notes() for consumer in consumers]):
        pass


async def live_and_die(mortal: Mortal, life: Callable[[], Awaitable[None]]) -> int:
    """One process after the other, until one has no step left to die before; how many died."""
    mortal.deaths.clear()
    while True:
        mortal.be_born()
        try:
            await life()
        except Crash:
            continue
        return len(mortal.deaths)


@pytest.mark.parametrize("batches", [pytest.param(batches, id=name) for name, batches in COLLISIONS])
async def test_after_a_crash_before_any_step_the_next_consumer_ends_in_the_undisturbed_state(
    place: Place, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (resolver, crediting):
        monkeypatch.setattr(module, "NOTES_AT_ONCE", 2)
    shelf = put_on_shelf(payload for batch in batches for payload in batch)
    ends = list(accumulate(map(len, batches), initial=0))
    cut = [shelf[first:end] for first, end in pairwise(ends)]

    await begin_log_anew(place.database)
    for batch in cut:
        await live(place.database, shelf, batch)
    undisturbed, expected = await digest(place.database), await present(place.database)

    await begin_log_anew(place.database)
    deaths = [await live_and_die(place.mortal, partial(live, place.dying, shelf, batch)) for batch in cut]
    assert differences(await present(place.database), expected) + await left_undone(place.database) == []
    assert await digest(place.database) == undisturbed
    print(f"{sum(deaths)} crashes, by batch {deaths}")


async def test_processes_die_before_a_copy_and_after_it(dsn: str) -> None:
    mortal = Mortal()
    async with connect(dsn, application="crashes") as database, open_stepped(dsn, "mortal", mortal.pace) as dying:
        await database.execute("CREATE TABLE state.copied (n integer)")

        async def life() -> None:
            async with dying.transaction() as connection:
                await connection.copy_records_to_table("copied", records=[(1,)])

        await live_and_die(mortal, life)
        assert mortal.deaths == {("", "BEGIN", 1), ("BEGIN", "COPY copied", 1), ("COPY copied", "COMMIT", 1)}
        assert await database.fetchval("SELECT count(*) FROM copied") == 1
