"""A ledger as long as one likes: `python -m tests.long_ledger --deals 1000000 --seed 1`.

Passes of a few thousand deals, each through the consumers on Postgres; then every deal is looked at in every instant of its
history, under every model. Processes share the passes, each with a database of its own; a seed gives the same passes
however many they are. A line tells how far it is; the last one is the figure to quote. Ends with 1 when anything is wrong.
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
import traceback
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import uvloop

from services.local import postmaster
from services.local.postgres import EmbeddedPostgres
from services.runtime.lifecycle import tune_garbage_collection
from services.runtime.postgres import connect
from tests.ledger.passes import Counted, Task, Wrong, run_pass
from tests.long_law import UNSAFE, make_databases

PASS_DEALS = 4_000
STATEMENT_SECONDS = 600

_own: list[str] = []
"""The address of this process' database."""


def tasks_of(seed: int, deals: int) -> Iterator[Task]:
    """All passes of a seed; of fewer deals they are the first ones, but for the size of the last."""
    for first in range(0, deals, PASS_DEALS):
        yield Task(f"{seed} {first}", min(PASS_DEALS, deals - first))


def begin(dsns: "SimpleQueue[str]") -> None:
    """What a process of the pool does first. Ctrl-C goes to all, and is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tune_garbage_collection()
    _own.append(dsns.get())


def work(task: Task) -> Counted:
    """One pass on this process' database. Raises Wrong, also for whatever the product raises."""
    try:
        return uvloop.run(run_on(_own[0], task))
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"pass {task} ends with an error:\n{traceback.format_exc()}") from error


async def run_on(dsn: str, task: Task) -> Counted:
    async with (
        connect(dsn, application="long ledger", size=2) as database,
        connect(dsn, application="look", size=1, scans=True, statement_seconds=STATEMENT_SECONDS) as scans,
    ):
        return await run_pass(database, scans, task)


def run(executor: Executor, deals: int, seed: int) -> Counted:
    """All passes up to the first that is wrong, which it raises."""
    begun, total = time.monotonic(), Counted(0, 0, 0, 0, 0, 0)
    passes = [executor.submit(work, task) for task in tasks_of(seed, deals)]
    try:
        for each in as_completed(passes):
            total = Counted(*map(sum, zip(total, each.result(), strict=True)))
            left = (time.monotonic() - begun) / 60 / total.deals * (deals - total.deals)
            print(
                f"\r{total.deals:,} of {deals:,} deals, {total.entries:,} entries, {left:.0f} min left ",
                end="",
                flush=True,
            )
    finally:
        for child in active_children():
            child.kill()  # in whatever pass it is: its database goes as well
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long_ledger", description=__doc__)
    parser.add_argument("--deals", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if min(given.deals, given.processes) < 1:
        parser.error("it takes one deal and one process at least")
    print(f"seed {given.seed}")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell in the background has it ignored
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    postmaster.SETTINGS.update(UNSAFE)
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder))
        try:
            postgres.start()
            return long_ledger(postgres.dsn, given.deals, given.seed, given.processes)
        except KeyboardInterrupt:
            print("\nstopped before the end")
            return 130
        finally:
            postgres.stop()


def long_ledger(dsn: str, deals: int, seed: int, processes: int) -> int:
    """The whole of it on this server; answers the program's exit code."""
    context, begun = get_context("spawn"), time.monotonic()
    dsns = context.SimpleQueue()
    for each in asyncio.run(make_databases(dsn, processes)):
        dsns.put(each)
    with ProcessPoolExecutor(processes, context, begin, (dsns,)) as executor:
        try:
            total = run(executor, deals, seed)
        except Wrong as wrong:
            print(f"\n{wrong}")
            return 1
        except BrokenProcessPool:
            print("\na process was ended by somebody else; was there memory enough?")
            return 1
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    how = f"{(time.monotonic() - begun) / 60:.0f} minutes, {processes} at a time ({machine})"
    what = f"{total.deals:,} deals, {total.versions:,} versions, {total.entries:,} entries, {total.instants:,} instants"
    anew = f"{total.compared:,} deals as worked out anew"
    print(f"\nseed {seed}: {what}, {total.drift} cents of drift, {anew}, {how}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
