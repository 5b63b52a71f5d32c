"""Poison: what cannot be read or handled is put aside with its bytes and its place, and its neighbours flow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import orjson
import pytest

from schemas.codec import encode
from schemas.topics import ATTRIBUTOR, DEALS, IDENTITY
from services.runtime.kafka_topics import make_topics
from services.runtime.settings import Settings
from tests.builders import at, deal, form, page
from tests.closing import differences, present
from tests.faulty import Site, consuming, open_site, place_of
from tests.reference import present_state

PAGE = page("v1", "e1", at("09:30"))


@pytest.fixture(params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest, kafka_prefix: str) -> dict[str, str]:
    """The settings of each kind of log."""
    if request.param == "embedded":
        return {}
    settings = {"broker": request.getfixturevalue("kafka").address, "kafka_prefix": kafka_prefix}
    asyncio.run(make_topics(Settings.model_validate(settings), print))
    return settings


@pytest.fixture
async def site(
    dsn: str, tmp_path: Path, settings_for: Callable[..., Settings], broker: dict[str, str]
) -> AsyncIterator[Site]:
    async with open_site(settings_for(dsn, tmp_path, **broker)) as site:
        yield site


POISON = {
    "nothing": (b"", "invalid_json"),
    "null": (b"null", "not_an_event"),
    "no UTF-8": (b"\xff\xfe", "invalid_json"),
    "cut off": (encode(PAGE)[:-9], "invalid_json"),
    "100,000 levels deep": (b"[" * 100_000, "invalid_json"),
    "2 MB of nothing": (b"a" * 2_000_000, "invalid_json"),
    "a version of 2 MB": (orjson.dumps({"v": "'\"" + "a" * 2_000_000, "event": {}}), "unknown_version"),
    "of a later version": (orjson.dumps({"v": 2, "event": PAGE}), "unknown_version"),
    "of no version": (orjson.dumps({"event": PAGE}), "unknown_version"),
    "a type that is none": (encode(PAGE | {"type": "seance"}), "invalid_event"),
    "an id of 2 MB": (encode(PAGE | {"event_id": "e" * 2_000_000}), "invalid_event"),
    "a number for a visitor": (encode(PAGE | {"visitor_id": 7}), "invalid_event"),
    "a time that is none": (encode(PAGE | {"occurred_at": "yesterday"}), "invalid_event"),
    "U+0000 in a text": (encode(PAGE | {"title": "a\0b"}), "handler_failed"),
    "U+0000 in a visitor": (encode(PAGE | {"visitor_id": "a\0b"}), "handler_failed"),
    "900 levels deep": (
        b'{"v":1,"event":' + orjson.dumps(PAGE)[:-1] + b',"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        "handler_failed",
    ),
}


async def test_poison_becomes_letters_with_reason_bytes_and_place_and_its_neighbours_flow(site: Site) -> None:
    good = [page(f"v{number}", f"e{number}", at("10:00")) for number in range(len(POISON))]
    expected = {}
    for neighbour, (name, (value, reason)) in zip(good, POISON.items(), strict=True):
        await site.append(neighbour)
        place = await site.append_bytes(value)
        expected[name] = (site.log.log_id, *place, reason, value)
    names = {where[1:4]: name for name, where in expected.items()}
    async with consuming(site):
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    letters = await site.letters()
    columns = ("log_id", "topic", "partition", "log_offset", "reason", "value")
    found = {names.get(place_of(letter), "?"): tuple(letter[column] for column in columns) for letter in letters}
    assert {name: row[4] for name, row in found.items()} == {name: row[4] for name, row in expected.items()}
    assert found == expected
    assert all(len(letter["detail"]) <= 200 for letter in letters)
    assert differences(await present(site.database), present_state(good)) == []


async def test_a_value_of_2_mb_that_is_an_event_is_no_poison(site: Site) -> None:
    long = PAGE | {"title": "long " * 400_000}
    await site.append(long)
    async with consuming(site):
        await site.caught_up(IDENTITY)
    assert await site.letters() == []
    assert differences(await present(site.database), present_state([long])) == []


async def test_a_poisonous_deal_is_put_aside_by_each_service_that_reads_it(site: Site) -> None:
    await site.append_bytes(b"{}", DEALS.name)
    await site.append(won := deal("D-1", "d1", at("12:00"), contacts=[{"email": "ann@x.org"}]))
    async with consuming(site):
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    assert {letter["consumer_group"] for letter in await site.letters()} == {IDENTITY, ATTRIBUTOR}
    assert differences(await present(site.database), present_state([won])) == []


async def test_a_record_that_stands_in_the_log_twice_has_its_effects_once(site: Site) -> None:
    """A client that sends again when an answer was lost leaves such pairs, at offsets of their own."""
    events = [
        page("v1", "e1", at("09:00"), url="https://shop.example/?gclid=x7"),
        form("v1", "e2", at("09:05"), "ann@x.org"),
        deal("D-1", "d1", at("12:00"), contacts=[{"email": "ann@x.org"}]),
        deal("D-1", "d2", at("13:00"), stage="open", contacts=[{"email": "ann@x.org"}]),
        deal("D-1", "d3", at("14:00"), contacts=[{"email": "ann@x.org"}], amount="70.00"),
    ]
    await site.append(*events, *events[:2])
    async with consuming(site):
        await site.caught_up(IDENTITY, ATTRIBUTOR)
        entries = await site.database.fetchval("SELECT count(*) FROM entries")
        await site.append(*events, *events)
        await site.caught_up(IDENTITY, ATTRIBUTOR)
    assert await site.letters() == []
    assert await site.database.fetchval("SELECT count(*) FROM entries") == entries, "no correction for a repetition"
    assert differences(await present(site.database), present_state(events)) == []
