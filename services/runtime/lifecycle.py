"""The life of a service's process: settings, logs, health, signals, and an end within a known time."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

from services.runtime.health import Health, start_ops_server
from services.runtime.logs import start_logging
from services.runtime.loop_lag import measure_loop_lag
from services.runtime.settings import EX_CONFIG, Settings, SettingsError, StartError, load_settings

if sys.platform == "win32":
    from asyncio import run
else:
    from uvloop import run

DRAIN_SECONDS = 22
"""How long a service may take to finish what it has begun; Kubernetes and `up` wait a little longer."""

LAST_TASKS_SECONDS = 2

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A batch makes tens of thousands of objects and no cycle of them; Python would look for one every 700."""

logger = logging.getLogger(__name__)


class Service:
    """What a service's `serve` is given. When `stopping` is set it finishes what it has begun, and returns."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.stopping = asyncio.Event()
        self.health = Health()


def run_service(
    name: str, ops_offset: int, serve: Callable[[Service], Awaitable[None]], *, needs: Sequence[str] = ()
) -> NoReturn:
    """Run `serve` until it returns or a signal (SIGTERM, SIGINT) has set `stopping`; then end the process.

    `needs` are the settings that must not be empty; health and metrics are told on `ops_port + ops_offset`. The exit
    code is 0 after a signal, 78 for a wrong setting (one line on stderr), 1 for anything else that ends it.
    """
    try:
        settings = load_settings()
        settings.require(*needs)
        start_logging(name)
        tune_garbage_collection()
        code = run(_live(Service(name, settings), settings.ops_port + ops_offset, serve))
    except SettingsError as error:
        code = _refuse(name, error, EX_CONFIG)
    except StartError as error:
        code = _refuse(name, error, 1)
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)


def tune_garbage_collection() -> None:
    """Let Python pass over imports when it looks for cycles, and look less often: that took a tenth of the CPU."""
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


def _refuse(name: str, error: Exception, code: int) -> int:
    sys.stderr.write(f"closedloop {name}: {error}\n")
    return code


async def _live(service: Service, ops_port: int, serve: Callable[[Service], Awaitable[None]]) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stopping.set)
    try:
        ops = await start_ops_server(service.settings.host, ops_port, service.health)
    except OSError as error:
        message = f"port {ops_port} cannot be used ({error.strerror}); set CLOSEDLOOP_OPS_PORT to a free one"
        raise StartError(message) from error
    measuring = asyncio.create_task(measure_loop_lag())
    async with ops:
        try:
            code = await _serve(service, serve)
        except SettingsError as error:
            code = _refuse(service.name, error, EX_CONFIG)
        except StartError as error:
            code = _refuse(service.name, error, 1)
    measuring.cancel()
    await _leave_none_behind(code)
    return code


async def _leave_none_behind(code: int) -> None:
    """Cancel the tasks that a client library has left; where one does not end, end the process without it."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left and (await asyncio.wait(left, timeout=LAST_TASKS_SECONDS))[1]:
        logger.warning("ended with tasks left", extra={"tasks": len(left)})
        os._exit(code)


async def _serve(service: Service, serve: Callable[[Service], Awaitable[None]]) -> int:
    logger.info("started", extra={"pid": os.getpid()})
    task = asyncio.ensure_future(serve(service))
    stopping = asyncio.ensure_future(service.stopping.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        logger.info("stopping")
        if not service.health.was_ready:
            task.cancel()  # it still waits for what it needs
        service.health.set("running", False, "stopping")
        await asyncio.wait({task}, timeout=DRAIN_SECONDS)
    stopping.cancel()
    if not task.done():
        logger.error("not done in time; ended hard", extra={"seconds": DRAIN_SECONDS})
        os._exit(1)
    error = None if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # a task group's own message says only that there was one
    if isinstance(error, SettingsError | StartError):
        raise error
    if error is not None:
        logger.error("ended by an error", exc_info=error)
        return 1
    logger.info("stopped")
    return 0
