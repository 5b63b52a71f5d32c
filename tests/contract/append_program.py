"""A process that appends: DSN TOPIC NAME ROUNDS."""

import asyncio
import sys

from services.runtime.embedded_log import open_embedded_log


async def main(dsn, topic, name, rounds):
    async with open_embedded_log(dsn) as log:
        for number in range(int(rounds)):
            await log.append(topic, [(f"{name}:{key}".encode(), b"%d" % number) for key in range(5)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
