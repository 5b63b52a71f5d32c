"""Two at work on the same people: wherever one of them pauses for the other, the state is that of one alone.

Nearly all that can go wrong between two transactions goes wrong when one stops once, at the worst moment, until the other
is through. `INTERLEAVINGS=10000` in the environment, as for the random ones, tries every moment.
"""

import os
from collections.abc import AsyncIterator, Collection
from itertools import count
from typing import NamedTuple

import pytest

from schemas.topics import READERS
from services.reports.digest import digest
from services.runtime.consumer import cause_of
from services.runtime.postgres import Database, connect
from services.runtime.reading import Taken
from tests.closing import differences, present
from tests.interleaving.duels import DUELS, Duel, Work
from tests.interleaving.shelf import (
    Consumer,
    begin_log_anew,
    left_undone,
    put_on_shelf,
    read,
    read_to_the_end,
    recall,
    remember,
)
from tests.interleaving.turns import Actor, Pause, Turns, open_actors

EVERY = 1 if "INTERLEAVINGS" in os.environ else 10
"""Of the moments at which a pause can make a difference, how many apart are tried: all of them in a long run."""


class Ground(NamedTuple):
    """A database, and for each of two a pool of its own on it."""

    database: Database
    pools: dict[Actor, Database]


@pytest.fixture
async def ground(loop_dsn: str) -> AsyncIterator[Ground]:
    async with connect(loop_dsn, application="duels") as database, open_actors(loop_dsn, "one", "other") as pools:
        yield Ground(database, pools)


async def do(
    database: Database, work: Work, shelf: list[Taken], own: Collection[Taken], noted: Collection[str]
) -> None:
    """The batch, and all notes of these groups; from the beginning again after a clash, as consumers do."""
    consumers = [Consumer(database, group, shelf) for group in (work.group, *noted)]
    while True:
        try:
            for consumer in consumers:
                await consumer.begin()
            if unread := [taken for taken in consumers[0].unread() if taken in own]:
                await consumers[0].deliver(unread)
            while any([await consumer.work_notes() for consumer in consumers]):
                pass
        except Exception as error:
            if cause_of(error) is None:
                raise
        else:
            return


async def prepare(database: Database, duel: Duel, shelf: list[Taken]) -> str:
    """Remember what is there when the duel begins; the digest of the end that one alone would come to."""
    await begin_log_anew(database)
    await read_to_the_end(database, shelf[: len(duel.before)])
    for group in READERS:
        await read(database, group, shelf[: len(duel.before) + len(duel.left)])
    await remember(database)
    await begin_log_anew(database)
    await read_to_the_end(database, shelf)
    return await digest(database)


@pytest.mark.parametrize("paused", [0, 1], ids=["the one pauses", "the other pauses"])
@pytest.mark.parametrize("duel", [pytest.param(duel, id=name) for name, duel in DUELS.items()])
async def test_wherever_one_pauses_for_the_other_the_state_is_that_of_one_alone(
    ground: Ground, duel: Duel, paused: int
) -> None:
    shelf = put_on_shelf([*duel.before, *duel.left, *duel.one.events, *duel.other.events])
    begun = len(duel.before) + len(duel.left)
    parts = [shelf[begun : begun + len(duel.one.events)], shelf[begun + len(duel.one.events) :]]
    assert not {taken.place for taken in parts[0]} & {taken.place for taken in parts[1]}
    noted = [() if number == paused else others_of(work) for number, work in enumerate((duel.one, duel.other))]
    alone = await prepare(ground.database, duel, shelf)
    for moment in count(paused % EVERY, EVERY):
        await recall(ground.database)
        dealer = Pause(list(ground.pools)[paused], moment)
        turns = Turns(ground.database, dealer)
        works = zip(ground.pools.items(), (duel.one, duel.other), parts, noted, strict=True)
        await turns.play({actor: do(pool, work, shelf, part, more) for (actor, pool), work, part, more in works})
        await read_to_the_end(ground.database, shelf)
        if await digest(ground.database) != alone or await left_undone(ground.database):
            await explain(ground.database, shelf, turns)
        if not dealer.begun:
            break
    print(f"{moment} moments")


async def test_one_pauses_before_a_copy_and_after_it(dsn: str) -> None:
    look = "SELECT count(*) FROM copied"

    async def copy(pool: Database) -> None:
        async with pool.transaction() as connection:
            await connection.copy_records_to_table("copied", records=[(1,)])

    async with connect(dsn, application="duels") as database, open_actors(dsn, "one", "other") as pools:
        await database.execute("CREATE TABLE state.copied (n integer)")
        (one, first), (other, second) = pools.items()
        traces = []
        for moment in (0, 1):
            turns = Turns(database, Pause(one, moment))
            await turns.play({one: copy(first), other: second.execute(look)})
            traces.append(turns.trace)
    assert traces == [
        [f"other: {look}", "one: BEGIN", "one: COPY copied", "one: COMMIT"],
        ["one: BEGIN", "one: COPY copied", f"other: {look}", "one: COMMIT"],
    ]


def others_of(work: Work) -> list[str]:
    return [group for group in READERS if group != work.group]


async def explain(database: Database, shelf: list[Taken], turns: Turns) -> None:
    """Fail, with what is wrong and how it came."""
    found, undone = await present(database), await left_undone(database)
    await begin_log_anew(database)
    await read_to_the_end(database, shelf)
    pytest.fail("\n".join([*differences(found, await present(database)), *undone, "", *turns.trace]))
