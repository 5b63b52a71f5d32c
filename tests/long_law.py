"""The law for as long as one likes: `python -m tests.long_law --histories 100000 --seed 1`.

Passes of about a hundred histories: each through the pure functions in memory, and through one to three consumers on
Postgres. Processes share the passes, each with a database of its own; a seed gives the same passes however many they are.
A line tells how far it is; the last one is the figure to quote. Ends with 1, and prints the smallest history as code, when
anything differs.
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
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random
from urllib.parse import urlsplit, urlunsplit

from services.local import postmaster
from services.local.postgres import EmbeddedPostgres
from services.runtime.migrate import migrate
from services.runtime.postgres import connect
from tests.law.passes import Pass
from tests.law.worker import Agreed, Differs, Task, work

AT_ONCE = 125
"""Histories of a pass. With four times as many Postgres worked three times as long at each."""

UNSAFE = {"fsync": "off", "full_page_writes": "off", "wal_compression": "off", "max_connections": "400"}
"""Settings of a Postgres whose data nobody needs after a crash of the machine."""

Workers = dict[Connection, SpawnProcess]
"""By the pipe to each."""


def tasks_of(seed: int, histories: int) -> Iterator[Task]:
    """All passes of a seed; of fewer histories they are the first ones."""
    random, left = Random(seed), histories
    while left:
        way, is_parted = way_of(random, min(AT_ONCE, left)), random.random() < 0.1
        yield Task(way, is_parted, f"{seed} {histories - left}")
        left -= way.histories


def way_of(random: Random, histories: int) -> Pass:
    """A way for one pass: mostly large batches, for they are quick; now and then small ones."""
    if random.random() < 0.1:
        return Pass(min(histories, 12), consumers=random.randint(1, 3), partitions=random.randint(1, 8))
    longest = random.choice([(100, 1000), (1000,), (3000,)])
    return Pass(histories, random.randint(1, 3), random.randint(1, 8), longest, random.choice([15, 30, 40]))


async def make_databases(dsn: str, count: int) -> list[str]:
    """The addresses of so many migrated databases beside the one at `dsn`, of which they are copies."""
    await migrate(dsn, print)
    names = [f"law_{number}" for number in range(count)]
    address = urlsplit(dsn)
    async with connect(urlunsplit(address._replace(path="/postgres")), application="long law", size=1) as server:
        for name in names:
            await server.execute(f"CREATE DATABASE {name} TEMPLATE {address.path[1:]}")
    return [urlunsplit(address._replace(path=f"/{name}")) for name in names]


@contextmanager
def working(dsns: list[str]) -> Iterator[Workers]:
    """A process on each of these databases; at the end none of them is left."""
    context, workers = get_context("spawn"), Workers()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # for them, who inherit it: Ctrl-C goes to all
    try:
        for dsn in dsns:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(dsn, theirs), daemon=True)
            process.start()
            workers[ours] = process
            theirs.close()
        signal.signal(signal.SIGINT, before)
        yield workers
    finally:
        end(workers.values())


def end(processes: Collection[SpawnProcess]) -> None:
    """End these processes, in whatever they are."""
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def run(workers: Workers, histories: int, seed: int) -> int:
    """All passes up to the first that differs; answers the program's exit code."""
    begun, done, events, tasks = time.monotonic(), 0, 0, tasks_of(seed, histories)
    for pipe, task in zip(workers, tasks, strict=False):
        pipe.send(task)
    for pipe, answer in answers(workers):
        if isinstance(answer, Differs):
            print(f"\npass {answer.seed!r} differs; the search for its smallest history may take a minute")
            end([process for other, process in workers.items() if other is not pipe])
            print(pipe.recv())
            return 1
        done, events = done + answer.histories, events + answer.events
        minutes = (time.monotonic() - begun) / 60
        left = minutes / done * (histories - done)
        print(f"\r{done} of {histories} histories, {events} events, {left:.0f} min left ", end="", flush=True)
        if done == histories:
            break
        if (task := next(tasks, None)) is not None:
            pipe.send(task)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    how = f"{minutes:.0f} minutes, {len(workers)} at a time ({machine})"
    print(f"\nseed {seed}: {done} histories, {events} events, 0 differences, {how}")
    return 0


def answers(workers: Workers) -> Iterator[tuple[Connection, Agreed | Differs]]:
    """What the processes have to say, as it comes."""
    while True:
        for pipe in wait(list(workers)):
            assert isinstance(pipe, Connection)
            yield pipe, pipe.recv()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long_law", description=__doc__)
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if min(given.histories, given.processes) < 1:
        parser.error("it takes one history and one process at least")
    print(f"seed {given.seed}")
    for sign in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background has them ignored
        signal.signal(sign, signal.default_int_handler)
    postmaster.SETTINGS.update(UNSAFE)
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder))
        try:
            postgres.start()
            dsns = asyncio.run(make_databases(postgres.dsn, given.processes))
            with working(dsns) as workers:
                return run(workers, given.histories, given.seed)
        except KeyboardInterrupt:
            print("\nstopped before the end")
            return 130
        except EOFError:
            print("\na process of the law was ended by somebody else; was there memory enough?")
            return 1
        finally:
            for sign in (signal.SIGINT, signal.SIGTERM):
                signal.signal(sign, signal.SIG_IGN)  # the end is not interrupted
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
