"""The fuse: a program that can handle nothing stops, also when it is started again, and goes on when it is mended."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from identity.resolver import Resolver
from schemas.topics import IDENTITY
from services.runtime.delivering import FUSE
from services.runtime.settings import Settings, StartError
from tests.builders import at, page
from tests.closing import differences, present
from tests.faulty import Make, Site, consuming, open_site, resolver
from tests.reference import present_state

GOOD: Mapping[str, Make] = {IDENTITY: resolver}
GARBAGE = b'{"v":2,"event":{}}'


class Broken(Resolver):
    """A release with an error in it."""

    async def handle(self, batch, fence):
        raise ZeroDivisionError


@pytest.fixture
async def site(dsn: str, tmp_path: Path, settings_for: Callable[..., Settings]) -> AsyncIterator[Site]:
    async with open_site(settings_for(dsn, tmp_path)) as site:
        yield site


def pages(first: int, last: int) -> list[dict[str, object]]:
    return [page(f"v{number % 7}", f"e{number}", at("10:00")) for number in range(first, last)]


async def stops(site: Site, make: Make) -> None:
    """A program starts, and ends by itself with the one line that says why."""
    with pytest.raises(StartError, match=f"more than {FUSE} records in a row .* retry --all"):
        async with consuming(site, {IDENTITY: make}) as running:
            await asyncio.wait({running[IDENTITY].task}, timeout=20)


def broken(database):
    return Broken(database, "a key for tests", ())


async def test_a_supervisor_that_starts_a_broken_program_again_and_again_does_not_drain_the_log(site: Site) -> None:
    await site.append(*pages(0, 3 * FUSE))
    for _ in range(4):
        await stops(site, broken)
        assert len(await site.letters()) == FUSE


async def test_a_program_that_is_mended_goes_on_and_a_retry_brings_back_what_was_put_aside(site: Site) -> None:
    await site.append(*pages(0, 3 * FUSE))
    await stops(site, broken)
    async with consuming(site, GOOD):
        await site.caught_up(IDENTITY)
        assert (await site.retry()).done == FUSE
        await site.caught_up(IDENTITY)
    assert await site.letters() == []
    assert differences(await present(site.database), present_state(pages(0, 3 * FUSE))) == []


async def test_garbage_that_no_program_can_read_is_let_pass_once_somebody_has_retried_it(site: Site) -> None:
    for _ in range(FUSE + 10):
        await site.append_bytes(GARBAGE)
    await site.append(*pages(0, 10))
    await stops(site, resolver)
    assert (await site.retry()).failed.total() == FUSE
    async with consuming(site, GOOD):
        await site.caught_up(IDENTITY)
    letters = await site.letters()
    assert [letter["tries"] for letter in letters] == [2] * FUSE + [1] * 10
    assert differences(await present(site.database), present_state(pages(0, 10))) == []


async def test_a_row_of_garbage_among_good_records_of_one_batch_blows_the_fuse_too(site: Site) -> None:
    await site.append(*pages(0, 10))
    for _ in range(FUSE + 1):
        await site.append_bytes(GARBAGE)
    await site.append(*pages(10, 20))
    await stops(site, resolver)
    assert len(await site.letters()) == FUSE


async def test_garbage_now_and_then_never_blows_the_fuse_however_much_it_gets(site: Site) -> None:
    for number in range(2 * FUSE):
        await site.append(page("v1", f"e{number}", at("10:00")))
        await site.append_bytes(GARBAGE, key=b"visitor:v1")
    for _ in range(2):
        async with consuming(site, GOOD):
            await site.caught_up(IDENTITY)
            await site.append(page("v1", "another", at("11:00")))
            await site.caught_up(IDENTITY)
    assert len(await site.letters()) == 2 * FUSE
