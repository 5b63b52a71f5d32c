"""From the embedded log to Kafka on the same database: nothing is lost on the way, and nothing counted twice."""

import asyncio
import random
from pathlib import Path

import pytest

from services.local.replay import Wish, replay
from services.runtime.kafka_topics import make_topics
from services.runtime.open_log import open_log
from services.runtime.postgres import Database
from services.runtime.settings import Settings
from tests.brokers import Brokers
from tests.conftest import make_settings
from tests.e2e.conftest import SEED, SHOP
from tests.e2e.in_process import Loop, running_loop, shuffled
from tests.heard import Heard

BATCHES = shuffled(SHOP.requests(), random.Random(SEED))
HALF = len(BATCHES) // 2


@pytest.fixture
def before(dsn: str, tmp_path: Path) -> Settings:
    return make_settings(dsn, tmp_path)


@pytest.fixture
def after(before: Settings, kafka: Brokers, kafka_prefix: str) -> Settings:
    after = before.model_copy(update={"broker": kafka.address, "kafka_prefix": kafka_prefix})
    asyncio.run(make_topics(after, print))
    return after


@pytest.mark.parametrize("drained", [True, False], ids=["drained before the switch", "switched in the middle"])
async def test_a_shop_that_moves_to_kafka_halfway_has_the_same_digest(
    drained: bool, before: Settings, after: Settings, expected: dict[str, str]
) -> None:
    print(f"seed {SEED}")
    async with running_loop(before) as loop:
        await loop.post(BATCHES[:HALF])
        if drained:
            await loop.settle()
    async with running_loop(after) as loop:
        await loop.post(BATCHES[HALF:])
        await loop.settle()
        assert await loop.digest_parts() == expected


async def test_what_a_collector_left_behind_still_appends_to_the_embedded_log_counts_too(
    before: Settings, after: Settings, expected: dict[str, str]
) -> None:
    print(f"seed {SEED}")
    async with running_loop(before) as left_behind, running_loop(after) as loop:
        for number, batch in enumerate(BATCHES):
            await (left_behind if number % 2 else loop).post([batch])
        await loop.settle()
        assert await loop.digest_parts() == expected


async def test_a_full_replay_reads_both_logs_from_their_first_records(
    before: Settings, after: Settings, expected: dict[str, str]
) -> None:
    print(f"seed {SEED}")
    async with running_loop(before) as loop:
        await loop.post(BATCHES[:HALF])
    async with running_loop(after) as loop:
        await loop.post(BATCHES[HALF:])
        await loop.settle()
    heard = Heard()
    assert await replay(after, Wish(), heard) == 0
    assert [line.split()[1:] for line in heard.lines if line.endswith("  equal")] == [
        [digest, "equal"] for digest in expected.values()
    ]


async def test_consumers_alone_find_what_a_collector_appends_to_the_embedded_log_after_the_move(
    before: Settings, after: Settings, expected: dict[str, str], database: Database
) -> None:
    """The collector is switched last, minutes after the consumers."""
    print(f"seed {SEED}")
    async with running_loop(after) as loop, open_log(before) as embedded:
        await loop.post(BATCHES[:HALF])
        await loop.settle()
        await Loop(before, [embedded], database).post(BATCHES[HALF:])
        await loop.settle()
        assert await loop.digest_parts() == expected
