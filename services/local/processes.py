"""Which process a number means: the system gives the id of an ended process to somebody else."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `pid` alone is recycled, `pid` with the time of its `start` (as the system writes it) is not."""

    pid: int
    start: str


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module; -P, so that a folder of its name where the user stands is not run."""
    return [sys.executable, "-P", "-m", module, *arguments]


def find_process(pid: int) -> Process | None:
    """The process that has `pid` now; None when there is none, or only the remains of an ended one (a zombie)."""
    state, start = _state_and_start(pid) if PROC.joinpath("self").exists() else _state_and_start_by_ps(pid)
    return None if state in {"", "Z", "X"} else Process(pid, start)


def is_alive(process: Process) -> bool:
    """Whether this very process still runs."""
    return find_process(process.pid) == process


def works_in(pid: int, program: str, folder: Path) -> bool:
    """Whether `pid` is a living process of the program named `program` whose working directory is `folder`."""
    if find_process(pid) is None:
        return False
    if not PROC.joinpath("self").exists():
        command = _ask_ps(pid, "command=")
        return program in command and str(folder) in command
    try:
        entry = PROC / str(pid)
        return entry.joinpath("comm").read_text().strip() == program and entry.joinpath("cwd").samefile(folder)
    except OSError:
        return False


def processes_in(program: str, folder: Path) -> list[Process]:
    """All living processes of the program that work in `folder`; always empty on systems without /proc."""
    numbers = [int(entry.name) for entry in PROC.glob("[1-9]*") if works_in(int(entry.name), program, folder)]
    return [process for number in numbers if (process := find_process(number))]


def _state_and_start(pid: int) -> tuple[str, str]:
    """Fields 3 and 22 of proc_pid_stat(5); the name before them is in brackets and may hold anything."""
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return "", ""
    return fields[0].decode(), fields[19].decode()


def _state_and_start_by_ps(pid: int) -> tuple[str, str]:
    state, _, start = _ask_ps(pid, "stat=,lstart=").partition(" ")
    return state[:1], start.strip()


def _ask_ps(pid: int, columns: str) -> str:
    """What the command of POSIX tells, for systems without /proc; empty when there is no such process."""
    command = ["ps", "-o", columns, "-p", str(pid)]  # the full path of ps differs from system to system
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed words and a number
