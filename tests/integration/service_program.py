"""A stand-in for one service: `service_program.py FOLDER NAME PORT`.

It answers /readyz, writes what happens to it into FOLDER/events, and obeys the files FOLDER/NAME.{refuse,deaf}: exit with 78,
be deaf to SIGTERM.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

FOLDER, NAME, PORT = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def note(event: str) -> None:
    with (FOLDER / "events").open("a") as file:
        file.write(f"{NAME} {event}\n")


def drained(number: int, frame: object) -> None:
    if not (FOLDER / f"{NAME}.deaf").exists():
        note("ended")
        sys.exit(0)


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


if (FOLDER / f"{NAME}.refuse").exists():
    sys.stderr.write("CLOSEDLOOP_X='y': is wrong\n")
    sys.exit(78)
signal.signal(signal.SIGTERM, drained)
(FOLDER / f"{NAME}.env").write_text(json.dumps({k: v for k, v in os.environ.items() if k.startswith("CLOSEDLOOP_")}))
(FOLDER / f"{NAME}.pid").write_text(str(os.getpid()))
server = HTTPServer((os.environ["CLOSEDLOOP_HOST"], PORT), Ready)
note("began")
sys.stdout.write(f"{NAME} listens\n")
server.serve_forever()
