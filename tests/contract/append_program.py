"""A process that appends to the log of its settings: TOPIC NAME ROUNDS."""

import asyncio
import sys

from services.runtime.open_log import open_log
from services.runtime.settings import load_settings


async def main(topic, name, rounds):
    async with open_log(load_settings()) as log:
        for number in range(int(rounds)):
            await log.append(topic, [(f"{name}:{key}".encode(), b"%d" % number) for key in range(5)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
