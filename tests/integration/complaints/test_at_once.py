"""Several consumers at the same people at the same time: races that lost people elsewhere, each with our answer.

Each record goes to one of them, and some to two, as when a lease changes hands; in batches and an order of their own,
some of which die. However they meet, the state must be that of one consumer alone.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from services.reports.digest import digest_parts
from services.runtime.postgres import PostgresError, connect, is_conflict
from tests.builders import GOOGLE_AD, NEWSLETTER, at, deal, delivery, form, page
from tests.closing import Crash, Loop, commits, crashes
from tests.integration.complaints.telling import Seen, digest_of, login, people, seen

ROUNDS, AT_ONCE = 20, 5
CONSUMERS = 6

Scene = Callable[[str], list[dict[str, Any]]]
"""The events of one round; its people, visitors and deals carry the round's name, so that rounds share a database."""


@pytest.fixture
async def crowd(loop: Loop, loop_dsn: str) -> AsyncIterator[list[Loop]]:
    """Consumers on connections of two programs."""
    async with connect(loop_dsn, application="the other", size=6) as other:
        yield [Loop(database) for database in (loop.database, other) for _ in range(CONSUMERS // 2)]


async def race(crowd: Sequence[Loop], scene: Scene) -> Seen:
    """All rounds by all at once, then again by one alone: answers what is seen, which must be the same."""
    seed = Random().randrange(10**9)
    print(f"race seed {seed}")
    random = Random(seed)
    rounds = [scene(f"r{number}") for number in range(ROUNDS)]
    for start in range(0, ROUNDS, AT_ONCE):
        shares = shared_out([event for events in rounds[start : start + AT_ONCE] for event in events], random)
        await asyncio.gather(
            *(consume(loop, share, Random(random.random())) for loop, share in zip(crowd, shares, strict=True))
        )
    await asyncio.gather(*(loop.settle() for loop in crowd))
    one = crowd[0]
    await one.settle()
    raced = await digest_parts(one.database)
    assert raced == await digest_of(one, [event for events in rounds for event in events])
    return await seen(one.database)


def shared_out(events: Sequence[dict[str, Any]], random: Random) -> list[list[dict[str, Any]]]:
    """What each consumer gets of them, in no order; a quarter comes to two."""
    shares: list[list[dict[str, Any]]] = [[] for _ in range(CONSUMERS)]
    for event in random.sample(events, len(events)):
        for share in random.sample(shares, random.choice([1, 1, 1, 2])):
            share.append(event)
    return shares


async def consume(loop: Loop, events: Sequence[dict[str, Any]], random: Random) -> None:
    """All events, in random batches. A batch that dies before its last commit comes again."""
    left = list(events)
    while left:
        size = random.randint(1, 3)
        batch = [delivery(payload) for payload in left[:size]]
        with suppress(Crash):
            try:
                await loop.handle(batch, random.choice([commits, commits, crashes]))
            except PostgresError as error:
                if not is_conflict(error):
                    raise
                continue
            left = left[size:]
        if random.random() < 0.5:
            await loop.work_notes(random.choice([loop.identity, loop.attributor]))


async def test_a_person_who_is_being_merged_away_can_be_named_by_another_event(crowd: list[Loop]) -> None:
    """PostHog deleted the person to whom another worker was just adding an id."""

    def chain(r: str) -> list[dict[str, Any]]:
        return [
            page(f"{r}v", f"{r}ad", at(day=1), GOOGLE_AD),
            login(f"{r}v", f"{r}1", at("00:01", day=1), f"{r}A"),
            login(f"{r}w", f"{r}2", at(day=2), f"{r}B"),
            login(None, f"{r}B is A", at(day=3), f"{r}A", previous_id=f"{r}B"),
            login(None, f"{r}C is B", at(day=3), f"{r}B", previous_id=f"{r}C"),
            deal(f"{r}", f"{r}won", at(day=5), contacts=[{"email": f"{r}@x.org"}]),
            login(None, f"{r}C", at(day=4), f"{r}C", email=f"{r}@x.org"),
        ]

    seen = await race(crowd, chain)
    rounds = [f"r{number}" for number in range(ROUNDS)]
    assert seen.leads == people(*(f"email:{r}@x.org user:{r}A user:{r}B user:{r}C" for r in rounds))
    assert seen.money == {r: {f"{r}ad": "50.00", f"{r}2": "50.00"} for r in rounds}


async def test_two_first_sightings_of_one_person_are_one_person(crowd: list[Loop]) -> None:
    """PostHog failed on a duplicate key, and another time forgot with it that the person was identified."""

    def newcomer(r: str) -> list[dict[str, Any]]:
        return [page(f"{r}v", f"{r}{minute}", at(f"09:0{minute}")) for minute in range(4)] + [
            form(f"{r}v", f"{r}form", at("09:05"), f"{r}@x.org"),
            login(f"{r}w", f"{r}login", at("09:05"), r, email=f"{r}@x.org"),
        ]

    seen = await race(crowd, newcomer)
    assert seen.leads == people(*(f"email:r{number}@x.org user:r{number}" for number in range(ROUNDS)))
    assert set(seen.owners.values()) == {f"email:r{number}@x.org" for number in range(ROUNDS)}


async def test_a_merge_and_what_else_its_event_says_take_effect_together(crowd: list[Loop]) -> None:
    """PostHog wrote three rows for one event, and they raced each other."""

    def merging_visit(r: str) -> list[dict[str, Any]]:
        return [
            page(f"{r}v", f"{r}ad", at("09:00"), GOOGLE_AD),
            form(f"{r}v", f"{r}ann", at("09:01"), f"ann{r}@x.org"),
            form(f"{r}v", f"{r}ben", at("09:02"), f"ben{r}@x.org"),
            page(f"{r}v", f"{r}mail", at("09:03"), NEWSLETTER),
            login(f"{r}v", f"{r}both", at("09:04"), r, email=f"ben{r}@x.org"),
            login(f"{r}w", f"{r}again", at("09:05"), r, email=f"ann{r}@x.org"),
            deal(r, f"{r}won", at(day=2), contacts=[{"email": f"ann{r}@x.org"}]),
        ]

    seen = await race(crowd, merging_visit)
    assert seen.money == {
        r: {f"{r}ad": "33.34", f"{r}mail": "33.33", f"{r}again": "33.33"}
        for r in (f"r{number}" for number in range(ROUNDS))
    }


async def test_a_storm_of_merges_into_one_person_loses_none(crowd: list[Loop]) -> None:
    """PostHog folds such storms since 2026; here rounds share their person, so each merges into those before."""

    def storm(r: str) -> list[dict[str, Any]]:
        return [
            *(login(f"{r}{device}", f"{r}{device}", at(day=1), "hub") for device in range(4)),
            login(None, f"{r}link", at(day=2), "hub", previous_id=r),
            login(f"{r}old", f"{r}old", at(day=1), r),
        ]

    seen = await race(crowd, storm)
    assert seen.leads == people("user:hub " + " ".join(f"user:r{number}" for number in range(ROUNDS)))
    assert set(seen.owners.values()) == {"user:hub"}
    assert len(seen.owners) == 5 * ROUNDS


EVENTS = [
    page("v", "ad", at(day=1), GOOGLE_AD),
    login("v", "1", at("00:01", day=1), 1),
    form("w", "mail", at(day=2), "ann@x.org"),
    deal("7", "won", at(day=5), contacts=[{"email": "ann@x.org"}]),
]
MERGE = login(None, "merge", at(day=3), 1, email="ann@x.org")


async def test_a_merge_that_was_stored_before_the_crash_is_told_to_the_money_after_it(loop: Loop) -> None:
    """PostHog lost merges between the commit and the message about it: the repeat found nothing left to say."""
    undisturbed = await digest_of(loop, [*EVENTS, MERGE])
    await loop.empty()
    await loop.take(*EVENTS)
    with pytest.raises(Crash):
        await loop.handle([delivery(MERGE)], crashes)
    assert (await seen(loop.database)).leads == people("email:ann@x.org user:1")
    await loop.take(MERGE)
    assert await digest_parts(loop.database) == undisturbed
    assert (await seen(loop.database)).money == {"7": {"ad": "50.00", "mail": "50.00"}}


async def test_what_one_consumer_saw_and_did_not_finish_is_not_taken_for_done(crowd: list[Loop]) -> None:
    """PostHog's memory of ids that it had seen ran ahead of its database, and the next event was dropped."""
    one, other = crowd[0], crowd[-1]
    with pytest.raises(Crash):
        await one.handle([delivery(payload) for payload in (*EVENTS, MERGE)], crashes)
    await other.take(form("w", "later", at(day=2, clock="00:01"), "ann@x.org"))
    await one.take(MERGE, *EVENTS)
    assert (await seen(one.database)).money == {"7": {"ad": "50.00", "mail": "50.00"}}
