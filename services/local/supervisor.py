"""`closedloop up`: one command that keeps Postgres and the four services running on this machine.

Everything happens in the main thread, in small steps; a signal is noticed in the next `pause`.
"""

import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, SecretStr

from services.local.child import Child, Service, next_delay
from services.local.console import Console, welcome
from services.local.journal import Journal
from services.local.locks import FileLock
from services.local.ports import check_ports, ports_of
from services.local.postgres import EmbeddedPostgres
from services.local.processes import find_process, is_alive, python
from services.local.run_file import RunInfo, read_run_file, remove_run_file, running_up, write_run_file
from services.local.signals import Signals, Stopped
from services.runtime.settings import EX_CONFIG, Settings, SettingsError, StartError, make_keys, unknown_settings

STOP_SECONDS = 24.0
"""A stop takes no longer; what drains slowest is cut off, and mended by the next start."""

DRAIN_SECONDS = 8.0
"""What a service gets to finish its work after SIGTERM."""

EARLIER_SECONDS = 10.0
"""What a service of a killed `up` gets, before the next one kills it to have its port."""


def up(settings: Settings, services: Sequence[Service] | None = None, migrate: Sequence[str] | None = None) -> int:
    """Run everything until a signal comes; the exit code.

    0 after a clean stop, EX_CONFIG when a setting is wrong, 1 when something else stands in the way; then one line says
    what to do. `services` (the first takes in what the others work on) and `migrate` replace the real commands.
    """
    settings = settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
    console = Console(journal=Journal(settings.data_dir))
    for name in unknown_settings():
        console.say(f"{name} is no setting of this version, and changes nothing; the README lists them")
    try:
        with Signals() as signals, _only_up(settings.data_dir):
            _end_earlier_services(settings.data_dir, console, signals)
            check_ports(ports_of(settings))
            settings, made = make_keys(settings)
            supervisor = Supervisor(settings, services or service_commands(settings), console, signals)
            supervisor.run(migrate or python("services.cli", "migrate"), made)
    except Stopped:
        console.say(f"Stopped; all data is in {settings.data_dir}")
        return 0
    except (StartError, SettingsError) as error:
        Console(sys.stderr).say(str(error))
        return EX_CONFIG if isinstance(error, SettingsError) else 1


def service_commands(settings: Settings) -> list[Service]:
    """The four services; each has its ops port, the first CLOSEDLOOP_OPS_PORT."""
    modules = {
        "collector": "collector",
        "identity": "identity",
        "attributor": "attributor",
        "reports": "services.reports",
    }
    ports = range(settings.ops_port, settings.ops_port + len(modules))
    return [
        Service(name, python(modules[name]), port, settings.local_host)
        for name, port in zip(modules, ports, strict=True)
    ]


class Supervisor:
    """Postgres, where it is the embedded one, and the services on it."""

    def __init__(self, settings: Settings, services: Sequence[Service], console: Console, signals: Signals) -> None:
        self._settings = settings
        self._services = services
        self._console = console
        self._signals = signals
        self._children: list[Child] = []
        self._postgres: EmbeddedPostgres | None = None
        if not settings.database_url.get_secret_value():
            self._postgres = EmbeddedPostgres(settings.data_dir, tell=console.say, pause=signals.pause)
        self._database_delay = 0.0
        self._database_check = 0.0

    def run(self, migrate: Sequence[str], made: Collection[str]) -> NoReturn:
        """Start everything and keep it running until an exception ends it; whatever that is, stop everything."""
        try:
            self._start(migrate)
            self._console.say(welcome(self._settings, made))
            while True:
                self._tend()
                self._signals.pause(0.1)
        except Stopped:
            self._console.say("Stopping ...")
            raise
        finally:
            self._stop()

    def _start(self, migrate: Sequence[str]) -> None:
        self._note("")
        if self._postgres is not None:
            self._postgres.start()
        dsn = self._postgres.dsn if self._postgres else self._settings.database_url.get_secret_value()
        self._settings = self._settings.model_copy(update={"database_url": SecretStr(dsn)})
        environment = environment_of(self._settings)
        self._migrate(Child(Service("migrate", migrate), environment, self._console))
        self._children = [Child(service, environment, self._console) for service in self._services]
        for child in self._children:
            child.start()
        self._note(dsn)
        self._wait_until_ready()

    def _migrate(self, migration: Child) -> None:
        self._children = [migration]
        migration.start()
        while migration.exit_code is None:
            self._signals.pause(0.02)
        migration.finish_output()
        if migration.exit_code == EX_CONFIG:
            raise SettingsError("The database was not migrated: a setting is wrong, see above")
        if migration.exit_code != 0:
            raise StartError("The database could not be migrated, see above; nothing was started")

    def _wait_until_ready(self) -> None:
        waiting, told = self._children, time.monotonic()
        while waiting := [child for child in waiting if not child.is_ready()]:
            self._tend()
            if time.monotonic() - told > 10:
                told = time.monotonic()
                self._console.say("Waiting for " + ", ".join(child.service.name for child in waiting))
            self._signals.pause(0.05)

    def _tend(self) -> None:
        """Start again what has died. Raises SettingsError when a service says that a setting is wrong."""
        for child in self._children:
            if child.exit_code == EX_CONFIG:
                child.finish_output()
                raise SettingsError(f"{child.service.name} refuses a setting, see above; everything is stopped")
            if child.revive():
                self._note(self._settings.database_url.get_secret_value())
        if self._postgres is not None and time.monotonic() >= self._database_check:
            self._database_check = time.monotonic() + 1.0
            self._tend_postgres(self._postgres)

    def _tend_postgres(self, postgres: EmbeddedPostgres) -> None:
        postgres.bound_log()
        if postgres.running():
            self._database_delay = 0.0
            return
        self._console.say("Postgres has died; it starts again")
        try:
            postgres.start()
        except StartError as error:
            self._database_delay = next_delay(self._database_delay, 0)
            self._database_check = time.monotonic() + self._database_delay
            self._console.say(str(error))

    def _note(self, dsn: str) -> None:
        supervisor = find_process(os.getpid())
        assert supervisor is not None, "we are alive"
        services = {child.service.name: child.process for child in self._children}
        living = {name: process for name, process in services.items() if process is not None}
        urls = self._settings.collector_url, self._settings.reports_url
        ops = self._settings.local_host, self._settings.ops_port
        write_run_file(self._settings.data_dir, RunInfo(supervisor, dsn, *urls, *ops, living))

    def _stop(self) -> None:
        """Stop the intake, then those who work on it, then the database. A further signal kills the rest at once."""
        deadline = time.monotonic() + STOP_SECONDS
        try:
            self._end(self._children[:1], DRAIN_SECONDS)
            self._end(self._children[1:], DRAIN_SECONDS)
            if self._postgres is not None:
                # An immediate shutdown, which follows when this time is over, takes Postgres 5 seconds at most.
                self._postgres.stop(patience=max(1.0, deadline - 5.0 - time.monotonic()))
        except Stopped:
            self._signals.ignore()
            self._end(self._children, 0)
            if self._postgres is not None:
                self._postgres.stop(patience=0)
        remove_run_file(self._settings.data_dir)

    def _end(self, children: Sequence[Child], patience: float) -> None:
        """SIGTERM, and after `patience` seconds SIGKILL."""
        deadline = time.monotonic() + patience
        for child in children:
            child.terminate()
        while time.monotonic() < deadline and any(child.exit_code is None for child in children):
            self._signals.pause(0.02)
        for child in children:
            child.kill()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a service reads exactly these settings."""
    texts = {f"CLOSEDLOOP_{name.upper()}": _text(value) for name, value in settings}
    return {**os.environ, **texts, "PYTHONUNBUFFERED": "1"}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return str(value)


@contextmanager
def _only_up(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for one `up`. Raises StartError when another has it."""
    lock = FileLock(data_dir / "up.lock")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        held = lock.take()
    except OSError as error:
        raise StartError(f"CLOSEDLOOP_DATA_DIR={str(data_dir)!r} cannot be used: {error.strerror}") from error
    if not held:
        other = running_up(data_dir)
        where = f" (process {other.supervisor.pid}, {other.collector_url})" if other else ""
        advice = "stop that one, or set CLOSEDLOOP_DATA_DIR to another folder"
        raise StartError(f"`closedloop up` already runs on {data_dir}{where}; {advice}")
    try:
        yield
    finally:
        lock.release()


def _end_earlier_services(data_dir: Path, console: Console, signals: Signals) -> None:
    """End what is left of an `up` that was killed; its services have been told to end when it died."""
    earlier = read_run_file(data_dir)
    living = {name: process for name, process in earlier.services.items() if is_alive(process)} if earlier else {}
    if not living:
        return
    console.say(f"An earlier `closedloop up` was killed; ending its {', '.join(living)}")
    for sign, seconds in ((signal.SIGTERM, EARLIER_SECONDS), (signal.SIGKILL, 5.0)):
        for process in filter(is_alive, living.values()):
            os.kill(process.pid, sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(map(is_alive, living.values())):
            signals.pause(0.05)
