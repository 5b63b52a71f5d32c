"""`kill -9` of anything at any moment: the next start mends it, nothing answered 2xx is lost, nothing is doubled."""

import random
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import SEED, SHOP
from tests.e2e.in_process import shuffled
from tests.e2e.installation import Installation

TARGETS = (
    *("collector", "identity", "attributor", "identity", "attributor"),
    *("postgres", "supervisor", "everything", "postgres", "everything"),
)


@pytest.mark.timeout(400)
def test_ten_kills_at_random_moments_give_the_same_digest(expected: dict[str, str], tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    targets = rng.sample(TARGETS, len(TARGETS))
    batches = shuffled(SHOP.requests(), rng)
    parts = [batches[start :: len(targets) + 1] for start in range(len(targets) + 1)]
    installation = Installation(tmp_path / "data")
    installation.start()
    try:
        for target, part in zip([*targets, None], parts, strict=True):
            sender = threading.Thread(target=lambda part=part: [installation.post(batch) for batch in part])
            sender.start()
            if target is not None:
                time.sleep(rng.uniform(0, 0.7))
                installation.kill(target)
            sender.join()
        installation.settle()
        printed = installation.command("digest", "--parts")
        assert dict(reversed(line.split()) for line in printed.splitlines()) == expected
    finally:
        code, seconds = installation.stop()
    assert code == 0
    assert seconds < 30
