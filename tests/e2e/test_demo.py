"""`closedloop demo` beside a running `up`: it finds every cent, and it says so when one is not where it belongs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.local.shop import simulate
from tests.e2e.installation import Installation

VISITORS, SEED = 300, 7


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("demo") / "data")
    installation.start()
    yield installation
    installation.stop()


def demo(up: Installation, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command, at its defaults for a terminal."""
    command = [
        sys.executable,
        "-m",
        "services.cli",
        "demo",
        "--visitors",
        str(VISITORS),
        "--seed",
        str(SEED),
        *arguments,
    ]
    run = subprocess.run(command, env=up.environment, capture_output=True, text=True, timeout=100, check=False)
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("model", ["first_touch", "last_touch", "linear", "position_based"])
def test_credits_agree_with_the_truth_wherever_it_can_be_seen(up, model):
    code, output = demo(up, "--model", model)
    assert code == 0, output
    assert "the reasons explain each cent" in " ".join(output.split())
    assert "other won deals" not in output, "the report was not compared"


def test_a_deal_that_someone_changed_behind_the_shops_back_is_named(up: Installation, tmp_path: Path):
    won = simulate(SEED, VISITORS).won_deals[0]
    version = next(p for p in simulate(SEED, VISITORS).requests() if p.get("deal_id") == won.deal_id)
    up.post([version | {"event_id": "meddled", "stage": "won", "amount": "0.07", "updated_at": "2026-09-01T00:00:00Z"}])
    code, output = demo(up)
    assert code == 1, output
    assert "UNEXPLAINED" in output
    assert f"closedloop explain demo:{won.deal_id}" in output
