"""`closedloop replay`: the state derived anew from the first record of every log, compared, and put in force.

The new state grows in a schema of its own, by the product's own consumers, while the services go on with the one in
force. Then both are brought to the same record: for that time the services hold still, and what comes in waits in the
log. So what differs is the rules' doing, or the program's, and no event's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto

from pydantic import SecretStr

from schemas.credit import Cause
from services.local import replay_states as states
from services.local.postgres import database as open_database
from services.local.replay_moves import digests_shown, moves_of, moves_shown
from services.local.replay_reading import LONG_STATEMENT_SECONDS, Reading, reading
from services.local.replay_screen import Screen, terminal
from services.local.replay_states import BEFORE, REPLAY
from services.reports.digest import digest_parts
from services.runtime.postgres import STATE, Connection, Database, UndefinedTableError, connect
from services.runtime.rules import changes, rules_of, stored_rules
from services.runtime.settings import Settings, StartError

REFUSED = (
    "Nothing was changed. The rules are the same, yet this program derives another state from the same events than the "
    "one in force: an error is mended, a list is newer, or there is a new error. Look at what moves; if it is right, "
    "`closedloop replay --accept` puts it in force"
)


@dataclass(frozen=True)
class Wish:
    """What the person who calls wants."""

    dry_run: bool = False
    """Nothing is to change."""
    yes: bool = False
    """Changed rules are to take effect without a question."""
    accept: bool = False
    """The new state is to be put in force even if it differs under the same rules."""


class Verdict(Enum):
    """What becomes of the new state."""

    switch = auto()
    ask = auto()
    refuse = auto()
    leave = auto()


def verdict_on(wish: Wish, *, rules_changed: bool, equal: bool) -> Verdict:
    """Changed rules move things, so they are shown first; what differs without them is nobody's wish yet."""
    if wish.dry_run:
        return Verdict.leave
    if rules_changed:
        return Verdict.switch if wish.yes else Verdict.ask
    return Verdict.switch if equal or wish.accept else Verdict.refuse


def main(settings: Settings, wish: Wish) -> int:
    """Run the command; its exit code. Raises StartError and SettingsError with a line for the user."""
    with open_database(settings, make=False) as dsn, terminal() as screen:
        reached = settings.model_copy(update={"database_url": SecretStr(dsn)})
        reached.require("id_key")
        return asyncio.run(replay(reached, wish, screen))


def main_drop(settings: Settings) -> int:
    """Free the disk of what replays have left: the former state, and that of a replay that was killed."""
    with open_database(settings, make=False) as dsn, terminal() as screen:
        return asyncio.run(_drop(dsn, screen))


async def replay(settings: Settings, wish: Wish, screen: Screen) -> int:
    """The whole replay; 1 when the new state was refused, else 0."""
    async with _claimed(settings.database_url.get_secret_value()) as (database, connection):
        try:
            before = await stored_rules(database) or rules_of(settings)
        except UndefinedTableError as error:
            raise StartError("the database has no tables yet; run `closedloop migrate`") from error
        changed = changes(before, rules_of(settings))
        for name, old, new in changed:
            screen.say(f"{name}: {old} -> {new}")
        size = await states.size_of(connection, STATE)
        screen.say(f"The new state will need about as much room as the one in force: {_megabytes(size)}")
        await states.make_new(connection)
        async with reading(settings, REPLAY) as anew:
            screen.step("Replaying")
            await anew.reach(await anew.ends(), screen.tell)
            await states.analyze_new(connection)
            async with _at_rest(settings, anew, screen) as live:
                screen.step("Comparing; new events wait in the log")
                verdict = verdict_on(
                    wish, rules_changed=bool(changed), equal=await _compare(live, anew, connection, screen)
                )
                if verdict is Verdict.switch:
                    await _switch(database, anew, bool(changed), screen)
            if verdict is Verdict.ask:
                if screen.confirms("Put the new state in force?") is False:
                    verdict = Verdict.leave
                else:
                    async with _at_rest(settings, anew, screen):
                        await _switch(database, anew, bool(changed), screen)
        if verdict in {Verdict.leave, Verdict.refuse}:
            await states.drop(connection, REPLAY)
            screen.say(REFUSED if verdict is Verdict.refuse else "Nothing was changed.")
    return 1 if verdict is Verdict.refuse else 0


async def _compare(live: Reading, anew: Reading, connection: Connection, screen: Screen) -> bool:
    """Say how the two states differ; whether they are equal."""
    digests = [await digest_parts(each.database) for each in (live, anew)]
    letters = [await each.database.fetchval(states.queries.letters) for each in (live, anew)]
    screen.say("Digests of both states:")
    for line in digests_shown(*digests):
        screen.say(line)
    if letters[0] != letters[1]:
        screen.say(f"Dead letters: {letters[0]} -> {letters[1]}; `closedloop deadletters list` has the old ones")
    if digests[0] == digests[1]:
        return True
    for line in moves_shown(await moves_of(connection)):
        screen.say(line)
    return False


async def _switch(database: Database, anew: Reading, rules_changed: bool, screen: Screen) -> None:
    screen.step("Putting the new state in force")
    await anew.stop()
    cause = Cause.rules_changed if rules_changed else Cause.replayed
    await states.put_in_force(database, cause, lambda waiting: screen.tell(0, 0, waiting))
    screen.say(
        f"The new state is in force. The former one is kept as schema {BEFORE} until the next replay; "
        "`closedloop replay --drop` frees its room"
    )


@asynccontextmanager
async def _at_rest(settings: Settings, anew: Reading, screen: Screen) -> AsyncIterator[Reading]:
    """Both states at the same record, with all its effects; who reads for the one in force holds still meanwhile."""
    async with reading(settings, STATE) as live:
        screen.step("Holding still")
        await live.hold(screen.tell)
        ends = await live.ends()
        for each in (live, anew):
            screen.step("Catching up; new events wait in the log")
            await each.reach(ends, screen.tell)
        yield live


@asynccontextmanager
async def _claimed(dsn: str) -> AsyncIterator[tuple[Database, Connection]]:
    """A pool without limits to its statements, and a connection of it by which this is the only replay."""
    async with (
        connect(dsn, application="command", size=4, statement_seconds=LONG_STATEMENT_SECONDS) as database,
        database.connection() as connection,
    ):
        await states.claim(connection)
        yield database, connection


async def _drop(dsn: str, screen: Screen) -> int:
    async with _claimed(dsn) as (_, connection):
        sizes = [await states.size_of(connection, schema) for schema in (BEFORE, REPLAY)]
        for schema in (BEFORE, REPLAY):
            await states.drop(connection, schema)
        found = [size for size in sizes if size is not None]
        screen.say(f"Freed {_megabytes(sum(found))}" if found else "No replay has left anything")
    return 0


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 1e6:,.1f} MB"
