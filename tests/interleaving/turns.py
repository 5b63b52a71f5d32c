"""Taking turns: of several programs on one Postgres one goes on at a time, by one statement, and a seed decides which.

So every interleaving of their transactions that the locks allow can be drawn, and drawn again. A program whose
statement waits for a lock of another is left waiting, and the others go on; where all of them wait, Postgres says who
gives way.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any, Protocol

import asyncpg

from services.runtime.postgres import Database
from tests.interleaving.stepping import name_of, open_stepped

LONG_SECONDS = 0.003
"""A statement that takes longer may be waiting for a lock; then Postgres is asked."""

STEPS_AT_MOST = 10_000
WRITES = ("INSERT", "UPDATE", "DELETE", "COPY")
WAITING = "SELECT pid FROM unnest($1::integer[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0"


class Actor:
    """One who takes turns: `pace` is for its database. Outside of a play it runs freely."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turns: Turns | None = None
        self.connection: asyncpg.Connection | None = None
        self.statement = ""
        """Those of the statement at the gate, or else of the last one."""

    async def pace(self, connection: asyncpg.Connection, statement: str) -> None:
        if self.turns is not None:
            await self.turns.wait_for_turn(self, connection, statement)


@asynccontextmanager
async def open_actors(dsn: str, *names: str) -> AsyncIterator[dict[Actor, Database]]:
    """An actor of each name, with a pool of its own."""
    async with AsyncExitStack() as stack:
        actors = [Actor(name) for name in names]
        yield {actor: await stack.enter_async_context(open_stepped(dsn, actor.name, actor.pace)) for actor in actors}


class Dealer(Protocol):
    """Who decides whose turn it is."""

    def next_of(self, ready: Sequence[Actor]) -> Actor:
        """Whose statement is run next; the others go on waiting."""

    def loses_connection(self) -> bool:
        """Whether the connection is lost before that statement."""


class Chance:
    """A random one, but with probability `stay` again whoever was last: seldom changing finds what always changing does not.

    `kill` is the probability that a connection is lost.
    """

    def __init__(self, random: Random, stay: float, kill: float = 0) -> None:
        self._random = random
        self._stay = stay
        self._kill = kill
        self._last: Actor | None = None

    def next_of(self, ready: Sequence[Actor]) -> Actor:
        if self._last not in ready or self._random.random() > self._stay:
            self._last = self._random.choice(ready)
        return self._last

    def loses_connection(self) -> bool:
        return self._random.random() < self._kill


class Pause:
    """One goes alone up to its nth moment, then pauses for as long as another can go on."""

    def __init__(self, one: Actor, moments: int) -> None:
        self._one = one
        self._moments_left = moments
        self._last = ""
        self.begun = False

    def next_of(self, ready: Sequence[Actor]) -> Actor:
        if self._one in ready and not self.begun and is_moment(self._last, self._one.statement):
            self.begun = self._moments_left == 0
            self._moments_left -= 1
        others = [actor for actor in ready if actor is not self._one]
        if self._one in ready and not (self.begun and others):
            self._last = self._one.statement
            return self._one
        return others[0]

    def loses_connection(self) -> bool:
        return False


def is_moment(last: str, statement: str) -> bool:
    """Whether a pause between these two can make a difference to one between those before them.

    A transaction has seen nothing before its first statement, and sees nothing of others from one write to the next.
    """
    return not (last.startswith(("BEGIN", "SET ")) or (last.startswith(WRITES) and statement.startswith(WRITES)))


class Turns:
    """One play. `trace` tells, step by step, who did what."""

    def __init__(self, watch: Database, dealer: Dealer) -> None:
        self._watch = watch
        self._dealer = dealer
        self._tasks: dict[Actor, asyncio.Task[None]] = {}
        self._at_gate: dict[Actor, asyncio.Future[None]] = {}
        self._in_line: set[Actor] = set()
        self._arrived = asyncio.Event()
        self._locks_are_freed = False
        self.trace: list[str] = []
        self.seen: Counter[str] = Counter()
        """How often somebody waited for a lock, or lost a connection."""

    async def play(self, programs: Mapping[Actor, Coroutine[Any, Any, None]]) -> None:
        """Run the programs to their ends, each on its actor's database. Raises what one of them raised."""
        for actor, program in programs.items():
            actor.turns = self
            self._tasks[actor] = asyncio.create_task(program)
            self._tasks[actor].add_done_callback(lambda _: self._arrived.set())
        try:
            await self._deal_out()
        finally:
            for actor, task in self._tasks.items():
                actor.turns = None
                task.cancel()
            await asyncio.wait(self._tasks.values())
        for task in self._tasks.values():
            task.result()

    async def wait_for_turn(self, actor: Actor, connection: asyncpg.Connection, statement: str) -> None:
        actor.connection, actor.statement = connection, statement
        self._at_gate[actor] = gate = asyncio.get_running_loop().create_future()
        self._arrived.set()
        await gate

    async def _deal_out(self) -> None:
        while True:
            await self._let_it_rest()
            if self._at_gate:
                self._let_go_on(self._dealer.next_of([actor for actor in self._tasks if actor in self._at_gate]))
            elif not self._under_way():
                return
            # Else all wait in a circle, until Postgres breaks it.

    def _let_go_on(self, actor: Actor) -> None:
        self.trace.append(f"{actor.name}: {name_of(actor.statement)}")
        assert len(self.trace) < STEPS_AT_MOST, "\n".join(["they go round in circles:", *self.trace[-200:]])
        self._locks_are_freed = actor.statement in {"COMMIT;", "ROLLBACK;"}
        if self._dealer.loses_connection():
            self.trace[-1] += " and its connection is lost"
            self.seen["lost connection"] += 1
            actor.connection.terminate()
            self._locks_are_freed = True
        self._at_gate.pop(actor).set_result(None)

    async def _let_it_rest(self) -> None:
        """Wait until each is at its gate, at its end, or in line for a lock."""
        if self._locks_are_freed or not self._at_gate:
            self._in_line &= await self._waiting(self._in_line)
        while moving := self._under_way() - self._in_line:
            self._arrived.clear()
            try:
                async with asyncio.timeout(LONG_SECONDS):
                    await self._arrived.wait()
            except TimeoutError:
                waiting = await self._waiting(moving)
                self._in_line |= waiting
                self.seen["wait for a lock"] += len(waiting)

    def _under_way(self) -> set[Actor]:
        return {actor for actor, task in self._tasks.items() if not task.done() and actor not in self._at_gate}

    async def _waiting(self, actors: set[Actor]) -> set[Actor]:
        """Those whose statement waits for a lock of somebody."""
        pids = {
            actor.connection.get_server_pid(): actor
            for actor in actors
            if actor.connection is not None and not actor.connection.is_closed()
        }
        rows = await self._watch.fetch(WAITING, list(pids)) if pids else []
        return {pids[row["pid"]] for row in rows}
