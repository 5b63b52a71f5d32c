# ruff: noqa: INP001 - a file of the image, of no package
"""The image's health check: exits with 0 when every service of this container is alive.

A container runs one service, whose ops port is one of four in a row; whichever listens is asked.
"""

import http.client
import os
import sys
from http import HTTPStatus

SERVICES = 4
SECONDS = 3.0


def status_of(port: int) -> int | None:
    """What GET /healthz on this port answers; None when nobody listens there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def main() -> None:
    first = int(os.environ.get("CLOSEDLOOP_OPS_PORT") or 9090)
    answers = {port: status_of(port) for port in range(first, first + SERVICES)}
    heard = {port: status for port, status in answers.items() if status is not None}
    if not heard:
        sys.exit(f"nobody listens on ports {first} to {first + SERVICES - 1}")
    sick = [port for port, status in heard.items() if status != HTTPStatus.OK]
    if sick:
        sys.exit(f"not alive: the service with ops port {sick[0]}; its log says why")


if __name__ == "__main__":
    main()
