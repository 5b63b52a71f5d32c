"""A consumer as a process: DSN [--die STEP] [--freeze KEY] [--lease SECONDS]. Its handler notes each record it sees in `effects`.

`--die STEP` ends it hard at that step of its third batch or note; `--freeze KEY` stops it (SIGSTOP) inside the transaction that handles
KEY, once, before the fence.
"""

import argparse
import asyncio
import os
import signal
from datetime import timedelta

from schemas.topics import TOPICS
from services.runtime import leases
from services.runtime.consumer import consume
from services.runtime.embedded_log import open_embedded_log
from services.runtime.lifecycle import Service
from services.runtime.postgres import connect
from services.runtime.settings import Settings

STEPS = ("before", "between", "unfenced", "fenced", "committed")


class Effects:
    """Facts in a first transaction, an effect a record in the last one: what a real service does, in small."""

    def __init__(self, database, die=None, freeze=None):
        self.database = database
        self.die = die
        self.freeze = freeze
        self.batches = 0

    def step(self, name):
        if name == self.die and self.batches == 3:
            os._exit(9)

    async def handle(self, batch, fence):
        self.batches += 1
        self.step("before")
        places = [[d.topic for d in batch], [d.partition for d in batch], [d.offset for d in batch]]
        async with self.database.transaction(durable=False) as connection:
            await connection.execute(
                "INSERT INTO facts SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]) ON CONFLICT DO NOTHING",
                *places,
            )
        self.step("between")
        async with self.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO effects SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])", *places
            )
            self.step("unfenced")
            if self.freeze and any(d.event.event_id == self.freeze for d in batch):
                os.kill(os.getpid(), signal.SIGSTOP)
            await fence(connection)
            self.step("fenced")
        self.step("committed")

    async def work_notes(self):
        return False


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dsn")
    parser.add_argument("--die", choices=STEPS)
    parser.add_argument("--freeze")
    parser.add_argument("--lease", type=float)
    given = parser.parse_args()
    if given.lease:
        leases.LEASE = timedelta(seconds=given.lease)
        leases.RENEW_SECONDS = given.lease / 5
    service = Service("program", Settings())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service.stopping.set)
    async with connect(given.dsn, application="program") as database, open_embedded_log(given.dsn) as log:
        handler = Effects(database, given.die, given.freeze)
        await consume([log], database, group="test", topics=TOPICS, handler=handler, service=service)


if __name__ == "__main__":
    asyncio.run(main())
