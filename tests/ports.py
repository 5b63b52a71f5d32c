"""Free ports of this machine for tests, also for those that run beside each other."""

import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack

PORTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections, so that no connection takes the port of a broker or service
that is down for a moment."""


def _in_turn() -> Iterator[int]:
    """Each test process has a part of the ports for itself (pytest-xdist numbers them), and begins anywhere in it."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    part = PORTS[number * len(PORTS) // processes : (number + 1) * len(PORTS) // processes]
    first = random.SystemRandom().randrange(len(part))
    return itertools.cycle([*part[first:], *part[:first]])


_ports = _in_turn()


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row. No port is given twice until all of them were."""
    while True:
        ports = list(itertools.islice(_ports, count))
        if ports[-1] - ports[0] == count - 1 and all(map(_is_free, ports)):
            return ports[0]


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            return False
        return True
