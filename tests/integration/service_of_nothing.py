"""A service as a process: `python service_of_nothing.py BEHAVIOUR`. It does nothing, in one of several ways."""

import asyncio
import sys

from services.runtime import lifecycle
from services.runtime.lifecycle import run_service
from services.runtime.settings import StartError


async def waits(service):
    service.health.set("ready", True)
    await service.stopping.wait()
    await asyncio.sleep(0.2)


async def fails(service):
    raise ValueError("cannot take 'ann@x.example'")


async def refuses(service):
    raise StartError("the moon is not full; wait for it")


async def begins(service):
    await asyncio.sleep(1000)


async def hangs(service):
    lifecycle.DRAIN_SECONDS = 0.3
    service.health.set("ready", True)
    await asyncio.sleep(1000)


if __name__ == "__main__":
    run_service("nothing", 1, globals()[sys.argv[1]], needs=("id_key",))
