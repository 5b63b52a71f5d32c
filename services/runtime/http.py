"""Serving HTTP: the socket that a service listens on, and uvicorn until the service is asked to stop."""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from services.runtime.settings import StartError

LAST_ANSWERS_SECONDS = 15
"""How long requests under way may take once the service is asked to stop."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the usual load balancer's, so that it is the one to close."""


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service's lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int, setting: str) -> socket.socket:
    """The listening socket. Raises StartError that names the `setting` to change when it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        message = f"{host} port {port} cannot be used ({reason}); set CLOSEDLOOP_{setting} to a free one"
        raise StartError(message) from error


async def serve_http(app: Any, listener: socket.socket, trusted: Sequence[str], stopping: asyncio.Event) -> None:
    """Serve the ASGI app until `stopping` is set and the requests under way are answered.

    Proxies at the addresses `trusted` are believed when they say where a request is from (X-Forwarded-For, -Proto).
    """
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(trusted),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
    )

    async def stop() -> None:
        await stopping.wait()
        server.should_exit = True

    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(stop())
        await server.serve(sockets=[listener])
        watcher.cancel()
