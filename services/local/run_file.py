"""The note that a running `closedloop up` leaves in its data folder, for other commands and for the next `up`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from services.local.processes import Process, is_alive

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One `up`: its process, where it answers, and the processes of its services by name."""

    supervisor: Process
    dsn: str
    """The database's address with its password; empty until the database is ready."""
    collector_url: str
    reports_url: str
    ops_host: str
    ops_port: int
    """The collector's; identity, attributor and reports have the three after it."""
    services: Mapping[str, Process]


def running_up(data_dir: Path) -> RunInfo | None:
    """The `up` that runs on this data folder now; None when there is none, or only the note of a killed one."""
    info = read_run_file(data_dir)
    return info if info is not None and is_alive(info.supervisor) else None


def read_run_file(data_dir: Path) -> RunInfo | None:
    """The last note, of a running or of a killed `up`; a clean stop removes it."""
    try:
        note = json.loads((data_dir / NAME).read_bytes())
        services = {name: Process(**process) for name, process in note.pop("services").items()}
        return RunInfo(supervisor=Process(**note.pop("supervisor")), services=services, **note)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_run_file(data_dir: Path, info: RunInfo) -> None:
    """Replace the note; only our own user can read it, because the database's password is in it."""
    draft = data_dir / f"{NAME}.tmp"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(info)))
    draft.replace(data_dir / NAME)


def remove_run_file(data_dir: Path) -> None:
    (data_dir / NAME).unlink(missing_ok=True)
