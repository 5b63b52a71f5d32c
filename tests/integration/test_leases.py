"""Who holds which partition, by the database's clock and its sessions."""

from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID

import pytest

from services.runtime import leases
from services.runtime.leases import Lease, Place
from services.runtime.postgres import connect

LOG = UUID(int=1)
PLACES = [Place(topic, number) for topic in ("deals", "events") for number in range(4)]


@pytest.fixture
async def member(dsn):
    """Makes members, each with sessions of its own; those named in `member.kill` lose them."""
    async with AsyncExitStack() as stack:

        async def make():
            database = await stack.enter_async_context(connect(dsn, application="member", size=2))
            lease = Lease(database, LOG, "group", PLACES)
            await lease.join()
            return lease

        yield make


async def turns(*members):
    """Each renews, lets go of what is too much, then takes what is free."""
    for lease in members:
        await lease.renew()
    for lease in members:
        await lease.settle()
    return [await lease.settle() for lease in members]


async def test_a_single_member_holds_everything_from_offset_0(member):
    alone = await member()
    assert await alone.settle() == dict.fromkeys(PLACES, 0)


async def test_members_share_each_topic_without_an_overlap(member):
    held = await turns(await member(), await member(), await member())
    assert sorted(place for share in held for place in share) == PLACES
    assert sorted(map(len, held)) == [2, 3, 3]


async def test_a_member_that_comes_gets_nothing_before_another_lets_go(member):
    first = await member()
    await first.settle()
    second = await member()
    assert await second.settle() == {}
    await first.renew()
    await first.settle()
    assert len(await second.settle()) == 4


async def test_a_member_that_leaves_lets_go_of_everything_at_once(member):
    first, second = await member(), await member()
    await turns(first, second)
    await first.leave()
    await second.renew()
    assert sorted(await second.settle()) == PLACES


async def test_a_member_that_is_not_heard_of_in_time_loses_its_partitions(member, monkeypatch):
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=-1))
    silent = await member()
    await silent.settle()
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=10))
    heir = await member()
    assert sorted(await heir.settle()) == PLACES


async def test_a_member_whose_process_died_loses_its_partitions_before_its_lease_ends(member, dsn):
    async with connect(dsn, application="member", size=1) as database:
        dead = Lease(database, LOG, "group", PLACES)
        await dead.join()
        assert sorted(await dead.settle()) == PLACES
    heir = await member()
    assert sorted(await heir.settle()) == PLACES


async def test_positions_of_another_log_and_another_group_are_apart(member, database):
    lease = await member()
    await lease.settle()
    other_log = Lease(database, UUID(int=2), "group", PLACES)
    other_group = Lease(database, LOG, "other", PLACES)
    await other_log.join()
    await other_group.join()
    assert sorted(await other_group.settle()) == PLACES
    assert await database.fetchval("SELECT count(*) FROM positions") == 3 * len(PLACES)
