"""Run a command as another user, because Postgres refuses to run as root.

Root starts this file alone, `python -I -S as_user.py UID GID FOLDER... -- COMMAND...`, and it becomes the command.
Where that user could not enter one of the folders (a checkout under /root, a data folder from `mktemp -d`), the command
keeps one capability, CAP_DAC_OVERRIDE, as an ambient one: the alternative would be to open these folders to everyone.
See capabilities(7) and prctl(2).
"""

import ctypes
import os
import sys

CAP_DAC_OVERRIDE = 1
CAP_SETPCAP = 8
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
EX_NOPERM = 77


def main(arguments: list[str]) -> None:
    """Become the user and the command; end with one line and EX_NOPERM where the system does not allow it."""
    end = arguments.index("--")
    uid, gid, folders, command = int(arguments[0]), int(arguments[1]), arguments[2:end], arguments[end + 1 :]
    try:
        _become(uid, gid)
    except OSError as error:
        sys.exit(_refuse(f"root may not become the user {uid} here ({error.strerror}); run it as an ordinary user"))
    closed = [folder for folder in folders if not os.access(folder, os.X_OK)]
    try:
        if closed:
            _keep_file_access()
    except OSError as error:
        line = f"the user {uid}, as whom Postgres runs, may not enter {closed[0]} ({error.strerror})"
        sys.exit(_refuse(f"{line}; run it as an ordinary user, or move it to a folder that user may enter"))
    os.execv(command[0], command)  # noqa: S606 - to become this command is what the file is for


def _refuse(line: str) -> int:
    sys.stderr.write(line + "\n")
    return EX_NOPERM


def _become(uid: int, gid: int) -> None:
    """Change all ids for good; capabilities stay permitted, but have no effect and end where the command begins."""
    if sys.platform == "linux":
        _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setregid(gid, gid)
    os.setreuid(uid, uid)


def _keep_file_access() -> None:
    """Give this process and the command it becomes the right to enter every folder, and no other right of root.

    Without the securebit access(2), with which initdb looks for its server, would leave capabilities out.
    """
    _set_capabilities(1 << CAP_DAC_OVERRIDE | 1 << CAP_SETPCAP)
    _call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    _set_capabilities(1 << CAP_DAC_OVERRIDE)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _set_capabilities(bits: int) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    _call("capset", header, effective_permitted_inheritable)


def _call(function: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    wide = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    try:
        result = getattr(library, function)(*wide)
    except AttributeError:
        raise OSError(0, f"this system has no {function}") from None
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main(sys.argv[1:])
