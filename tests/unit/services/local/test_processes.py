import os
import subprocess
import sys
import time
from pathlib import Path

from services.local.postmaster import find_postmaster
from services.local.processes import Process, _state_and_start_by_ps, find_process, is_alive, processes_in, works_in


def test_a_living_process_is_found_and_an_ended_one_is_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = find_process(child.pid)
    assert process is not None
    assert is_alive(process)
    child.communicate()
    assert find_process(child.pid) is None


def test_the_remains_of_an_ended_child_are_no_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert find_process(child.pid) is None
    child.wait()


def test_a_number_that_went_to_another_program_is_not_the_same_process() -> None:
    ours = find_process(os.getpid())
    assert ours is not None
    assert not is_alive(Process(ours.pid, "an earlier start"))


def test_systems_without_proc_tell_the_same_through_ps() -> None:
    first = _state_and_start_by_ps(os.getpid())
    assert first[0] in {"R", "S", "D"}
    assert str(time.localtime().tm_year) in first[1]
    assert _state_and_start_by_ps(2**22 + 1) == ("", "")


def test_only_the_named_program_counts_as_working_in_a_folder(tmp_path: Path) -> None:
    """Somebody's shell may stand in the data folder; it must not be taken for a server and killed."""
    shell = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, cwd=tmp_path)
    assert works_in(shell.pid, "sh", tmp_path)
    assert not works_in(shell.pid, "postgres", tmp_path)
    assert [process.pid for process in processes_in("sh", tmp_path)] == [shell.pid]
    assert processes_in("postgres", tmp_path) == []
    shell.communicate()


def test_a_pid_file_without_its_server_is_no_server(tmp_path: Path) -> None:
    for text in ("", "\n", "x\n", "999999999\n", f"{os.getpid()}\n{tmp_path}\n1\n5432\n/tmp\n\n1 1\nready\n"):
        (tmp_path / "postmaster.pid").write_text(text)
        assert find_postmaster(tmp_path) is None
