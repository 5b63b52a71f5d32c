"""`closedloop demo` as a user runs it, start to end, and the digest of what it leaves behind."""

import os
import subprocess
from pathlib import Path

from services.local.processes import python
from tests.ports import free_ports


class DemoError(Exception):
    """The demo failed; the message is what it printed."""


def digest_of_demo(data_dir: Path, broker: str, visitors: int, seed: int) -> str:
    """The digest after a demo on a new data folder. Raises DemoError when a cent of it is unexplained."""
    port = free_ports(6)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CLOSEDLOOP_")},
        "CLOSEDLOOP_DATA_DIR": str(data_dir),
        "CLOSEDLOOP_BROKER": broker,
        "CLOSEDLOOP_KAFKA_PREFIX": "demo-",
        "CLOSEDLOOP_OPS_PORT": str(port),
        "CLOSEDLOOP_PORT": str(port + 4),
        "CLOSEDLOOP_REPORTS_PORT": str(port + 5),
    }

    def run(*words: str) -> str:
        result = subprocess.run(
            python("services.cli", *words), env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise DemoError(result.stdout + result.stderr)
        return result.stdout

    run("demo", f"--visitors={visitors}", f"--seed={seed}")
    return run("digest").strip()
