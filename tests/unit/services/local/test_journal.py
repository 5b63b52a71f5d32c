"""What of the services' lines a person at the terminal gets to see, and what the files keep."""

from pathlib import Path

import pytest

from services.local.journal import Journal, readable


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param('{"ts":"t","level":"info","logger":"a","message":"started"}', None, id="good news stays in the file"),
        pytest.param('{"ts":"t","level":"debug","message":"x"}', None, id="so does detail"),
        pytest.param('{"level":"warning","message":"slow","seconds":3}', "warning: slow (seconds 3)", id="a warning in words"),
        pytest.param('{"level":"error","message":"lost","stack":["f:1"]}', "error: lost", id="a stack is for the file"),
        pytest.param("Traceback (most recent call last):", "Traceback (most recent call last):", id="no JSON"),
        pytest.param("[1, 2]", "[1, 2]", id="JSON, but no log line"),
        pytest.param('{"level":"info"}', '{"level":"info"}', id="a log line without message"),
    ],
)  # fmt: skip
def test_the_terminal_shows_what_needs_a_person(line: str, shown: str | None) -> None:
    assert readable(line) == shown


def test_the_files_keep_every_line_by_service(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for name, line in (("collector", "a"), ("identity", "b"), ("collector", "c")):
        journal.keep(name, line)
    assert (tmp_path / "logs" / "collector.log").read_text() == "a\nc\n"
    assert (tmp_path / "logs" / "identity.log").read_text() == "b\n"
