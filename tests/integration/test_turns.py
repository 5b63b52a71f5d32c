"""The scheduler of interleavings: it finds what only some interleavings break, waits for locks, and repeats itself."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from services.runtime.postgres import Database, PostgresError, connect, is_conflict
from tests.interleaving.stepping import open_stepped
from tests.interleaving.turns import Actor, Chance, Turns

READ, LOCK = "SELECT n FROM counts WHERE name = $1", "SELECT n FROM counts WHERE name = $1 FOR UPDATE"
WRITE = "UPDATE counts SET n = $2 WHERE name = $1"


class Pair:
    """Two actors with a pool each, and two counters."""

    def __init__(self, database: Database, pools: dict[Actor, Database]) -> None:
        self.database = database
        self.pools = pools

    async def play(self, seed: int, read: str, orders: tuple[str, str]) -> Turns:
        """Each actor counts one up, counter by counter in its order, in one transaction."""
        await self.database.execute("TRUNCATE counts; INSERT INTO counts VALUES ('a', 0), ('b', 0)")
        turns = Turns(self.database, Chance(Random(seed), stay=0.3))
        programs = {
            actor: self.count(pool, read, order)
            for (actor, pool), order in zip(self.pools.items(), orders, strict=True)
        }
        await turns.play(programs)
        return turns

    async def count(self, pool: Database, read: str, order: str) -> None:
        async with pool.transaction() as connection:
            for name in order:
                before = await connection.fetchval(read, name)
                await connection.execute(WRITE, name, before + 1)

    async def counts(self) -> list[int]:
        return [row["n"] for row in await self.database.fetch("SELECT n FROM counts ORDER BY name")]


@pytest.fixture
async def pair(dsn: str) -> AsyncIterator[Pair]:
    one, two = Actor("one"), Actor("two")
    async with (
        connect(dsn, application="watch") as database,
        open_stepped(dsn, "one", one.pace) as first,
        open_stepped(dsn, "two", two.pace) as second,
    ):
        await database.execute("CREATE TABLE state.counts (name text PRIMARY KEY, n integer NOT NULL)")
        yield Pair(database, {one: first, two: second})


async def test_an_update_that_some_interleavings_lose_is_lost_in_some_plays(pair: Pair) -> None:
    ends = set()
    for seed in range(20):
        await pair.play(seed, READ, ("a", "a"))
        ends.add((await pair.counts())[0])
    assert ends == {1, 2}


async def test_who_waits_for_a_lock_is_left_waiting_and_goes_on_when_it_is_free(pair: Pair) -> None:
    waits = 0
    for seed in range(10):
        turns = await pair.play(seed, LOCK, ("a", "a"))
        waits += turns.seen["wait for a lock"]
        assert await pair.counts() == [2, 0]
    assert waits


async def test_who_waits_in_a_circle_is_told_by_postgres(pair: Pair) -> None:
    deadlocks = 0
    for seed in range(10):
        try:
            await pair.play(seed, LOCK, ("ab", "ba"))
            assert await pair.counts() == [2, 2]
        except PostgresError as error:
            if not is_conflict(error):
                raise
            assert await pair.counts() == [1, 1]
            deadlocks += 1
    assert 0 < deadlocks < 10


async def test_a_seed_plays_the_same_again(pair: Pair) -> None:
    for seed in range(10):
        first, second = [await pair.play(seed, LOCK, ("ab", "ab")) for _ in range(2)]
        assert first.trace == second.trace
    assert len({tuple((await pair.play(seed, LOCK, ("ab", "ab"))).trace) for seed in range(10)}) > 5


async def test_an_error_of_one_ends_the_play(pair: Pair) -> None:
    with pytest.raises(PostgresError, match="nothing_there"):
        await pair.play(0, "SELECT n FROM nothing_there WHERE name = $1", ("a", "a"))
