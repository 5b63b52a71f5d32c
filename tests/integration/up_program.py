"""`closedloop up` with stand-ins for the services: `up_program.py FOLDER MIGRATE_EXIT_CODE DRAIN_SECONDS`."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

from services.local import supervisor
from services.runtime.settings import load_settings

FOLDER, MIGRATE_EXIT_CODE, DRAIN_SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
PROGRAM = str(Path(__file__).with_name("service_program.py"))
supervisor.DRAIN_SECONDS = supervisor.EARLIER_SECONDS = DRAIN_SECONDS
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
settings = load_settings()
services = [
    replace(service, command=[sys.executable, PROGRAM, FOLDER, service.name, str(service.ops_port)])
    for service in supervisor.service_commands(settings)
]
migrate = [sys.executable, "-c", f"print('migrating'); raise SystemExit({MIGRATE_EXIT_CODE})"]
sys.exit(supervisor.up(settings, services, migrate))
