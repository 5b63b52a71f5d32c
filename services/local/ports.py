"""The ports that `closedloop up` needs, and whether they are free before anything is started."""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from services.runtime.settings import Settings, StartError


@dataclass(frozen=True, slots=True)
class Port:
    """A port to listen on, and the setting that moves it."""

    host: str
    number: int
    setting: str


def ports_of(settings: Settings) -> tuple[Port, ...]:
    """Every port of the four services."""
    ops = settings.ops_port
    return (
        Port(settings.host, settings.port, "CLOSEDLOOP_PORT"),
        Port(settings.host, settings.reports_port, "CLOSEDLOOP_REPORTS_PORT"),
        *(Port(settings.host, ops + after, "CLOSEDLOOP_OPS_PORT") for after in range(4)),
    )


def check_ports(ports: Sequence[Port]) -> None:
    """Raise StartError with one line for the first port that is wanted twice or cannot be had."""
    owners: dict[int, str] = {}
    for port in ports:
        if (other := owners.setdefault(port.number, port.setting)) != port.setting:
            raise StartError(f"Port {port.number} is wanted by {other} and by {port.setting}; give them different ones")
    for port in ports:
        _try_to_listen(port)


def _try_to_listen(port: Port) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            port.host, port.number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StartError(f"CLOSEDLOOP_HOST={port.host!r} is no address of this machine ({error.strerror})") from error
    with socket.socket(family, kind, protocol) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that only cools down is free
        try:
            trial.bind(address)
            trial.listen(1)
        except OSError as error:
            raise StartError(_reason(port, error)) from error


def _reason(port: Port, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port.number} is in use by another program; stop that one, or set {port.setting} to a free port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"CLOSEDLOOP_HOST={port.host!r} is no address of this machine"
    return f"Port {port.number} cannot be used ({error.strerror}); set {port.setting} to another one"
