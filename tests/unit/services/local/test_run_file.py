import os
from dataclasses import replace
from pathlib import Path

import pytest

from services.local.processes import Process, find_process
from services.local.run_file import NAME, RunInfo, read_run_file, remove_run_file, running_up, write_run_file

OURSELVES = find_process(os.getpid())
assert OURSELVES is not None
INFO = RunInfo(OURSELVES, "postgresql://x", "http://c", "http://r", "127.0.0.1", 9090, {"collector": Process(7, "8")})


def test_other_commands_read_where_a_running_up_is(tmp_path: Path) -> None:
    write_run_file(tmp_path, INFO)
    assert running_up(tmp_path) == INFO
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600, "the database's password is in it"
    remove_run_file(tmp_path)
    assert running_up(tmp_path) is None


def test_the_note_of_a_killed_up_is_no_running_one_but_can_be_read(tmp_path: Path) -> None:
    killed = replace(INFO, supervisor=Process(os.getpid(), "an earlier start"))
    write_run_file(tmp_path, killed)
    assert running_up(tmp_path) is None
    assert read_run_file(tmp_path) == killed


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"services": {"a": 1}}', '{"services": {}, "supervisor": {}}'])
def test_a_damaged_note_is_no_note(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert read_run_file(tmp_path) is None
