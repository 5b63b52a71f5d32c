"""Run a command that must not outlive its parent.

Started as a file, `python -I -S tether.py PARENT_PID COMMAND...`, it becomes the command. On Linux the system sends it
SIGTERM when the parent's main thread ends in whatever way, `kill -9` included (PR_SET_PDEATHSIG, prctl(2)). Elsewhere
the next `closedloop up` ends what an earlier one left.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the command, or end at once when the parent has ended in between."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - to become this command is what the file is for


if __name__ == "__main__":
    main(sys.argv[1:])
