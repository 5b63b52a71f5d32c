"""How a service is: alive, ready and why not; told on its ops port over HTTP, with its metrics."""

import asyncio
import time
from contextlib import suppress

import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from services.runtime.metrics import CHECK_OK, exposition

STALLED_SECONDS = 600
"""A consumer that has not gone round its loop for so long hangs. A round has several statements, and each may take 60 s
where Postgres is slow: a restart would only add to its load."""

REQUEST_SECONDS = 5
REQUEST_BYTES = 16 * 1024


class Health:
    """The named checks of one service. It is ready when it has some and all are ok."""

    def __init__(self) -> None:
        self._checks: dict[str, tuple[bool, str]] = {}
        self._last_turn: float | None = None
        self.was_ready = False
        """Whether it was ready at any time; before that it has begun nothing."""

    def set(self, check: str, ok: bool, detail: str = "") -> None:
        """`detail` is for the operator: what is wrong and what to do; no personal values, no secrets."""
        self._checks[check] = (ok, detail)
        CHECK_OK.labels(check).set(ok)
        self.was_ready = self.was_ready or self.ready

    def turn(self) -> None:
        """The service's loop went round once more."""
        self._last_turn = time.monotonic()

    @property
    def ready(self) -> bool:
        return bool(self._checks) and all(ok for ok, _ in self._checks.values())

    @property
    def alive(self) -> bool:
        """Whether the loop still turns, for services that have one."""
        return self._last_turn is None or time.monotonic() - self._last_turn < STALLED_SECONDS

    def report(self) -> dict[str, object]:
        checks = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in sorted(self._checks.items())}
        return {"ready": self.ready, "alive": self.alive, "checks": checks}


async def start_ops_server(host: str, port: int, health: Health) -> asyncio.Server:
    """Serves GET /healthz, /readyz and /metrics until it is closed. Raises OSError when the port is taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # TimeoutError is an OSError
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, health))
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, host, port, limit=REQUEST_BYTES)


def _response(head: bytes, health: Health) -> bytes:
    """The whole answer to a request head."""
    method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    status, kind, body = "404 Not Found", "application/json", b'{"code":"not_found"}'
    if method not in {b"GET", b"HEAD"}:
        status, body = "405 Method Not Allowed", b'{"code":"method_not_allowed"}'
    elif path in {b"/healthz", b"/readyz"}:
        ok = health.alive if path == b"/healthz" else health.ready
        status, body = ("200 OK" if ok else "503 Service Unavailable"), orjson.dumps(health.report())
    elif path == b"/metrics":
        status, kind, body = "200 OK", CONTENT_TYPE_LATEST, exposition()
    headers = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return headers.encode() + (b"" if method == b"HEAD" else body)
