"""One process of the long law: passes on a database of its own, one after the other, as its parent hands them out."""

import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

import uvloop

from services.runtime.lifecycle import tune_garbage_collection
from services.runtime.postgres import connect
from tests.closing import Loop, differences
from tests.law.passes import Cases, Pass, drawn, drawn_parted, report, run_pass, shown
from tests.law.pure import pure_state
from tests.law.smallest import History
from tests.reference import present_state


class Task(NamedTuple):
    """One pass."""

    way: Pass
    is_parted: bool
    """Whether its histories are of people who were taken for one."""
    seed: str


class Agreed(NamedTuple):
    """A pass is through without a difference."""

    histories: int
    events: int


class Differs(NamedTuple):
    """A pass has found a difference; what it is follows as text, once it is as small as can be."""

    seed: str


def work(dsn: str, pipe: Connection) -> None:
    """Work off tasks from the pipe, and answer each, until the parent closes it."""
    tune_garbage_collection()
    with suppress(EOFError, BrokenPipeError):
        uvloop.run(work_off(dsn, pipe))


async def work_off(dsn: str, pipe: Connection) -> None:
    async with connect(dsn, application="long law", size=6) as database:
        loop = Loop(database)
        while True:
            task: Task = pipe.recv()
            try:
                answer = await answer_to(loop, task, pipe)
            except Exception:  # noqa: BLE001 - whatever the product raises is what the parent looks for
                pipe.send(Differs(task.seed))
                answer = f"A pass of {task.way.histories} histories ends with an error:\n{traceback.format_exc()}"
            pipe.send(answer)
            await database.execute("ANALYZE")  # of full tables: by itself Postgres may look at them when just emptied


async def answer_to(loop: Loop, task: Task, pipe: Connection) -> Agreed | str:
    """One pass: through the pure functions, where most mistakes show and are made small in no time, then on Postgres."""
    cases = (drawn_parted if task.is_parted else drawn)(task.way, task.seed)
    if wrong := pure_differences(cases):
        pipe.send(Differs(task.seed))
        return "By the pure functions alone " + await shown(cases, wrong, differs_purely, task.seed)
    if wrong := await run_pass(loop, task.way, cases, task.seed):
        pipe.send(Differs(task.seed))
        return await report(loop, task.way, cases, wrong, task.seed)
    return Agreed(len(cases), sum(len(case.history) for case in cases.values()))


def pure_differences(cases: Cases) -> Mapping[str, list[str]]:
    """Of the histories of which the pure functions make other leads or visits the rows too many and too few."""
    wrong = {}
    for prefix, case in cases.items():
        rows = pure_state(case.history)
        due = {part: case.due[part] for part in rows}
        if rows != due:
            wrong[prefix] = differences(rows, due) or ["the same rows in another order"]
    return wrong


async def differs_purely(history: History) -> bool:
    rows, due = pure_state(history), present_state(history)
    return any(rows[part] != due[part] for part in rows)
