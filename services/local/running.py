"""An `up` to talk to: the one that runs on the data folder, or one that runs for the time of a block."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.local.child import answers
from services.local.processes import python
from services.local.run_file import RunInfo, running_up
from services.runtime.settings import Settings, StartError, load_settings

START_SECONDS = 180
STOP_SECONDS = 30
SERVICES = 4


@contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """The settings, keys included, of an `up` that answers. Raises StartError when none can be had."""
    if running_up(settings.data_dir) is not None:
        _wait_until_ready(settings.data_dir, None)
        yield load_settings()
        return
    log = settings.data_dir / "up.log"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        command = python("services.cli", "up")
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)  # noqa: S603 - ours
        try:
            _wait_until_ready(settings.data_dir, process)
            yield load_settings()
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(data_dir: Path, started: "subprocess.Popen[bytes] | None") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        info = running_up(data_dir)
        if info is not None and _is_ready(info):
            return
        if started is not None and started.poll() is not None:
            lines = (data_dir / "up.log").read_text(errors="replace").strip().splitlines()
            raise StartError(lines[-1] if lines else "`closedloop up` ended at once and said nothing")
        time.sleep(0.1)
    raise StartError(f"`closedloop up` is not ready after {START_SECONDS} s; see what it prints")


def _is_ready(info: RunInfo) -> bool:
    return len(info.services) == SERVICES and all(
        answers(info.ops_host, info.ops_port + place) for place in range(SERVICES)
    )
