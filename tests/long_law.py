"""The law for as long as one likes: `python -m tests.long_law --histories 100000 --seed 1`.

Passes of hundreds of histories: each through the pure functions in memory, and through the consumers on a Postgres of its
own, with one to three of them. A line tells how far it is; the last one is the figure to quote. Ends with 1, and prints
the smallest history as code, when anything differs.
"""

import argparse
import asyncio
import os
import platform
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from services.local.postgres import EmbeddedPostgres
from services.runtime.migrate import migrate
from services.runtime.postgres import connect
from tests.closing import Loop
from tests.law.passes import Cases, Pass, drawn, drawn_parted, report, run_pass
from tests.law.pure import pure_state
from tests.law.smallest import as_code

AT_ONCE = 250


def way_of(random: Random, histories: int) -> Pass:
    """A way for one pass: mostly large batches, for they are quick; now and then small ones."""
    if random.random() < 0.1:
        return Pass(min(histories, 25), consumers=random.randint(1, 3), partitions=random.randint(1, 8))
    longest = random.choice([(100, 1000), (1000,), (3000,)])
    return Pass(histories, random.randint(1, 3), random.randint(1, 8), longest, random.choice([15, 30, 40]))


def pure_differences(cases: Cases) -> list[str]:
    """The histories of which the pure functions make other leads or visits, as code."""
    found = ((case, pure_state(case.history)) for case in cases.values())
    return [as_code(case.history) for case, rows in found if any(rows[part] != case.due[part] for part in rows)]


async def run(dsn: str, histories: int, seed: int) -> int:
    """All passes up to the first that differs; answers the program's exit code."""
    random, begun, done, events = Random(seed), time.monotonic(), 0, 0
    async with connect(dsn, application="long law", size=8) as database:
        loop = Loop(database)
        while done < histories:
            way, own_seed = way_of(random, min(AT_ONCE, histories - done)), f"{seed} {done}"
            cases = (drawn_parted if random.random() < 0.1 else drawn)(way, own_seed)
            wrong = await run_pass(loop, way, cases, own_seed)
            done, events = done + len(cases), events + sum(len(case.history) for case in cases.values())
            minutes = (time.monotonic() - begun) / 60
            left = minutes / done * (histories - done)
            print(f"\r{done} of {histories} histories, {events} events, {left:.0f} min left ", end="", flush=True)
            if wrong or (pure := pure_differences(cases)):
                print("\n" + (await report(loop, way, cases, wrong, own_seed) if wrong else pure[0]))
                return 1
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\nseed {seed}: {done} histories, {events} events, 0 differences, {minutes:.0f} minutes ({machine})")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long_law", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    for sign in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background has them ignored
        signal.signal(sign, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder))
        postgres.start()
        try:
            asyncio.run(migrate(postgres.dsn, print))
            return asyncio.run(run(postgres.dsn, given.histories, given.seed))
        except KeyboardInterrupt:
            print("\nstopped; nothing differed so far")
            return 130
        finally:
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
