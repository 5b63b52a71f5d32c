"""The README's loop by hand, typed as it stands there."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    installation.start()
    yield installation
    installation.stop()


def blocks() -> list[str]:
    """The commands of the chapter, a text each block."""
    chapter = README.read_text().partition("## The loop by hand")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)


def here(block: str, installation: Installation) -> str:
    """The same commands for this installation's ports, folder and Python."""
    python = shlex.quote(sys.executable)
    meant = {
        "http://127.0.0.1:8080": installation.collector,
        "http://127.0.0.1:8081": installation.reports,
        ".closedloop/": f"{installation.data_dir}/",
        ".venv/bin/closedloop": f"{python} -m services.cli",
        ".venv/bin/python": python,
    }
    return re.sub("|".join(map(re.escape, meant)), lambda match: meant[match[0]], block)


def test_the_readme_closes_the_loop_with_one_curl_a_step(installation: Installation, tmp_path: Path) -> None:
    keys, *steps = blocks()
    assert len(steps) == 4
    outputs = []
    for step in steps:
        script = f"set -euo pipefail\n{here(keys, installation)}{here(step, installation)}"
        command = ["bash", "-c", script]
        environment = os.environ | installation.environment
        result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        outputs.append(result.stdout)
        installation.settle()

    for output, events in zip(outputs[:3], (1, 2, 1), strict=True):
        assert json.loads(output) == {"accepted": events, "rejected": []}
    decoder = json.JSONDecoder()
    revenue, end = decoder.raw_decode(outputs[3])
    assert {row["key"]: row["amount"] for row in revenue["rows"]} == {"Paid Search": "500.00", "Email": "499.99"}
    assert revenue["total"] == "999.99"
    given, length = decoder.raw_decode(outputs[3][end:])
    assert [(credit["touch_id"], credit["amount"]) for credit in given["credits"]] == [
        ("hit-1", "500.00"),
        ("hit-2", "499.99"),
    ]
    explained = outputs[3][end + length :]
    assert "email:ann@customer.example" in explained
    assert "499.99" in explained
