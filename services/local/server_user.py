"""As whom the embedded Postgres runs: as we do, or, where we are root, as a second user without rights."""

import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.local import as_user
from services.runtime.settings import StartError

CANDIDATES = ("postgres", "nobody")
"""Who runs Postgres when root makes a data folder: the first of these that the machine knows."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user that owns the data folder and runs the server."""

    uid: int
    gid: int

    def command(self, words: Sequence[str | Path], enters: Sequence[Path]) -> list[str]:
        """The command line that runs `words` as this user, who must be able to enter the existing folders `enters`."""
        plain = [str(word) for word in words]
        if self.uid == os.geteuid():
            return plain
        become = [sys.executable, "-I", "-S", as_user.__file__, str(self.uid), str(self.gid)]
        return [*become, *map(str, enters), "--", *plain]

    def own(self, path: Path) -> None:
        """Give `path` (not what a link points to) to this user."""
        if self.uid != os.geteuid():
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose_server_user(data: Path) -> ServerUser:
    """The owner of the data folder, else (a new one, or one that root has copied) ourselves or a second user.

    Raises StartError when the data belongs to somebody else and we are not root.
    """
    ours = os.geteuid()
    owner = data.stat().st_uid if data.exists() else ours
    if ours == 0:
        return _user_of(owner) if owner != 0 else _second_user()
    if owner != ours:
        raise StartError(f"{data} belongs to the user {owner}; run it as that user or as root, as before")
    return ServerUser(ours, os.getegid())


def _user_of(uid: int) -> ServerUser:
    try:
        return ServerUser(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return ServerUser(uid, uid)


def _second_user() -> ServerUser:
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(entry.pw_uid, entry.pw_gid)
    names = " or ".join(CANDIDATES)
    raise StartError(f"Postgres refuses to run as root, and there is no user {names}; run it as an ordinary user")
