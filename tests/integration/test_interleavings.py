"""Consumers that work at once on the same people: however their statements interleave, the state is that of one alone.

`INTERLEAVINGS=10000` in the environment tries that many; a seed always draws the same histories, and almost always the
same turns.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from pprint import pformat
from random import Random
from typing import Any, NamedTuple

import pytest

from attributor import crediting
from identity import resolver
from schemas.topics import ATTRIBUTOR, IDENTITY, READERS
from services.reports.digest import digest
from services.runtime.consumer import cause_of
from services.runtime.postgres import Database, connect
from services.runtime.reading import Taken
from tests.closing import differences, present
from tests.histories import make_history
from tests.interleaving.collisions import COLLISIONS, late_hits, make_crowd
from tests.interleaving.shelf import PLACES, Consumer, begin_log_anew, left_undone, put_on_shelf, read, read_to_the_end
from tests.interleaving.turns import Actor, Chance, Turns, open_actors

SEEDS = int(os.environ.get("INTERLEAVINGS", "100"))
SEEDS_AT_ONCE = 25

CASTS = [
    [IDENTITY, IDENTITY],
    [IDENTITY, IDENTITY],
    [IDENTITY, ATTRIBUTOR],
    [ATTRIBUTOR, ATTRIBUTOR],
    [IDENTITY, IDENTITY, ATTRIBUTOR],
    [IDENTITY, IDENTITY, ATTRIBUTOR, ATTRIBUTOR],
]
STAY = [0, 0.5, 0.8, 0.95, 0.98]
KILL = [0, 0, 0, 0.01]
"""For each play one of these is drawn."""


class Stage(NamedTuple):
    """A database for all plays, and for each actor a pool of its own on it."""

    database: Database
    pools: dict[Actor, Database]


@pytest.fixture
async def stage(loop_dsn: str) -> AsyncIterator[Stage]:
    async with (
        connect(loop_dsn, application="stage") as database,
        open_actors(loop_dsn, "one", "two", "three", "four") as pools,
    ):
        yield Stage(database, pools)


def draw_events(random: Random) -> list[dict[str, Any]]:
    """A history, a few of its events twice, and some that come late."""
    kind = random.random()
    if kind < 0.4:
        _, batches = random.choice(COLLISIONS)
        events = [event for batch in batches for event in batch]
    elif kind < 0.6:
        events = make_history(random, random.randint(3, 12))
    else:
        events = make_crowd(random, random.randint(4, 10))
    return events + late_hits(random, events) + random.sample(events, random.randrange(3))


async def consume(consumer: Consumer, random: Random, seen: Counter[str]) -> None:
    """The consumer's loop: batches, notes between them, all notes at the end; a setback begins from the positions."""
    longest = random.choice([1, 3, 8])
    while True:
        try:
            await consumer.begin()
            while unread := consumer.unread():
                await consumer.deliver(unread[: random.randint(1, longest)])
                for _ in range(random.choice([0, 0, 1, 3])):
                    await consumer.work_notes()
            while await consumer.work_notes():
                pass
        except Exception as error:
            cause = cause_of(error)
            if cause is None:
                raise
            seen[cause] += 1
        else:
            return


async def play(stage: Stage, random: Random, shelf: list[Taken]) -> Turns:
    """Some actors read the shelf, each all of it, or each its share of the places; then whatever is left is read.

    Part of it has been read before they begin, and its notes are theirs to work off.
    """
    groups = random.choice(CASTS)
    for group in READERS:
        part = random.choice([0, 0.5, 0.7, 0.9] if group in groups else [0, 1])
        await read(stage.database, group, shelf[: round(part * len(shelf))])
    turns = Turns(stage.database, Chance(random, random.choice(STAY), random.choice(KILL)))
    together = random.random() < 0.3
    shares = {place: random.randrange(2) for place in PLACES}
    programs = {}
    for number, (group, (actor, database)) in enumerate(zip(groups, stage.pools.items(), strict=False)):
        actor.name = f"{group} {number + 1}"
        holds = PLACES if together else [place for place in PLACES if shares[place] == number % 2]
        consumer = Consumer(database, group, shelf, holds)
        programs[actor] = consume(consumer, Random(random.random()), turns.seen)
    await turns.play(programs)
    await read_to_the_end(stage.database, shelf)
    return turns


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
async def test_consumers_whose_statements_interleave_end_in_the_state_of_one_alone(
    stage: Stage, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()
    for seed in range(first, min(first + SEEDS_AT_ONCE, SEEDS)):
        random = Random(f"interleaving {seed}")
        for module in (resolver, crediting):
            monkeypatch.setattr(module, "NOTES_AT_ONCE", random.choice([1, 3, 100]))
        monkeypatch.setattr(resolver, "HITS_AGAIN_AT_ONCE", random.choice([0, 1, 1000]))
        payloads = draw_events(random)
        shelf = put_on_shelf(payloads)

        await begin_log_anew(stage.database)
        await read_to_the_end(stage.database, shelf)
        alone, expected = await digest(stage.database), await present(stage.database)

        await begin_log_anew(stage.database)
        turns = await play(stage, random, shelf)
        seen += turns.seen
        wrong = differences(await present(stage.database), expected) + await left_undone(stage.database)
        if wrong or await digest(stage.database) != alone:
            pytest.fail("\n".join([f"seed {seed}:", *wrong, "", pformat(payloads, width=200), "", *turns.trace]))
    print(f"seeds {first} to {seed}: {dict(seen)}")
