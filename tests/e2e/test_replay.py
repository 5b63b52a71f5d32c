"""`closedloop replay` beside a running `up`: killed once, then to its end, while events come in and reports are asked."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from services.local.shop import simulate
from services.reports.digest import PARTS
from tests.e2e.conftest import SEED
from tests.e2e.in_process import shuffled
from tests.e2e.installation import Installation

QUESTIONS = ("status", "revenue?model=linear&by=channel", "deals")


@pytest.mark.timeout(200)
def test_an_up_goes_on_while_its_state_is_replayed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    batches = shuffled(simulate(SEED, 60).requests(), random.Random(SEED))
    installation = Installation(tmp_path / "data")
    installation.start()
    try:
        for batch in batches[: len(batches) // 2]:
            installation.post(batch)
        installation.settle()
        kill_a_replay(installation)
        over = threading.Event()
        answers: set[tuple[str, int]] = set()
        at_once = [
            threading.Thread(target=lambda: [installation.post(batch) for batch in batches[len(batches) // 2 :]]),
            threading.Thread(target=ask_on_and_on, args=(installation, over, answers)),
        ]
        for thread in at_once:
            thread.start()
        printed = installation.command("replay")
        over.set()
        for thread in at_once:
            thread.join()
        assert "  now " not in printed
        assert "The new state is in force" in printed
        assert answers == {(question, httpx.codes.OK) for question in QUESTIONS}
        installation.settle()
        again = installation.command("replay", "--dry-run")
        assert again.count("  equal\n") == len(list(PARTS)), "what came in meanwhile was lost or counted twice"
        assert installation.command("replay", "--drop").startswith("Freed ")
    finally:
        installation.stop()
    assert "starts again" not in installation.output.read_text()


def kill_a_replay(installation: Installation) -> None:
    """`kill -9` in the middle of it."""
    command = [sys.executable, "-m", "services.cli", "replay"]
    with subprocess.Popen(command, env=installation.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Replaying\n"
        time.sleep(0.5)
        assert process.poll() is None, "it was over before the kill"
        process.kill()


def ask_on_and_on(installation: Installation, over: threading.Event, answers: set[tuple[str, int]]) -> None:
    while not over.is_set():
        for question in QUESTIONS:
            answer = httpx.get(f"{installation.reports}/api/v1/{question}", headers=installation.admin, timeout=30)
            answers.add((question, answer.status_code))
