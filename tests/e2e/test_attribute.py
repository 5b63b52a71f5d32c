"""`closedloop attribute` as a user meets it: a file in, JSON out, or one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BRYL = "path;conversions;value;nulls\nc1 > c2 > c3;1;10.10;0\nc1;0;0;1\nc2 > c3;0;0;1\n"


def attribute(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.cli", "attribute", "--paths", str(file), *arguments]
    return subprocess.run(command, env={}, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (made := tmp_path / "paths.csv").write_text(BRYL)
    return made


def test_a_file_of_paths_is_credited_to_its_channels(file: Path) -> None:
    result = attribute(file, "--model", "markov")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {
        "model": "markov",
        "credits": [
            {"channel": "c2", "conversions": 0.4, "value": 4.04},
            {"channel": "c3", "conversions": 0.4, "value": 4.04},
            {"channel": "c1", "conversions": 0.2, "value": 2.02},
        ],
    }


def test_intervals_are_the_same_each_time(file: Path) -> None:
    once, again = (attribute(file, "--model", "shapley", "--intervals") for _ in range(2))
    assert once.stdout == again.stdout
    assert {"channel", "conversions", "value", "low", "high"} == set(json.loads(once.stdout)["credits"][0])
    assert once.stderr == "", "a bar is for terminals"


@pytest.mark.parametrize(
    ("text", "model", "told"),
    [
        pytest.param(BRYL + "c1;x;0;0\n", "markov", "paths.csv, line 5: conversions is 'x', not a whole number from 0 on", id="a bad row"),
        pytest.param(BRYL, "time_decay", "closedloop: the model time_decay needs to know when each touch was, which paths do not tell", id="a model that needs times"),
        pytest.param(BRYL, "markow", "closedloop: there is no model 'markow'; paths can be asked for", id="no model"),
        pytest.param(None, "markov", "paths.csv cannot be read: No such file or directory", id="no file"),
    ],
)  # fmt: skip
def test_what_the_user_can_mend_is_one_line_and_nothing_is_printed(file: Path, text: str | None, model: str, told: str) -> None:  # fmt: skip
    file.unlink() if text is None else file.write_text(text)
    result = attribute(file, "--model", model)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert told in result.stderr
