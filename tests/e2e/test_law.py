"""The one law: the present state is a function of the set of logged events, whatever way they came."""

import random
from pathlib import Path

import pytest

from tests.conftest import make_settings
from tests.e2e.conftest import SEED, SHOP
from tests.e2e.in_process import running_loop, shuffled

ORDERS = 20


@pytest.mark.parametrize("order", range(ORDERS))
async def test_any_order_and_any_repetition_give_one_digest(
    order: int, expected: dict[str, str], dsn: str, tmp_path: Path
) -> None:
    seed = SEED + order
    print(f"seed {seed}")
    async with running_loop(make_settings(dsn, tmp_path)) as loop:
        await loop.post(shuffled(SHOP.requests(), random.Random(seed)))
        await loop.settle()
        assert await loop.digest_parts() == expected


async def test_two_identity_consumers_and_two_attributors_give_the_same_digest(
    expected: dict[str, str], dsn: str, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    async with running_loop(make_settings(dsn, tmp_path), consumers=2) as loop:
        await loop.post(shuffled(SHOP.requests(), random.Random(SEED)))
        await loop.settle()
        assert await loop.digest_parts() == expected
