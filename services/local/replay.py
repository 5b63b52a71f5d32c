"""`closedloop replay`: the state derived anew from the first record of every log, compared, and put in force.

The new state grows in a schema of its own, by the product's own consumers, while the services go on with the one in
force. Then both are brought to the same record: for that time the services hold still, and what comes in waits in the
log. So what differs is the rules' doing, or the program's, and no event's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from pydantic import SecretStr

from schemas.credit import Cause
from schemas.identifier import identifier_id
from services.local import replay_states as states
from services.local.postgres import database as open_database
from services.local.replay_moves import digests_shown, moves_of, moves_shown
from services.local.replay_reading import LONG_STATEMENT_SECONDS, Reading, reading
from services.local.replay_screen import Screen, terminal
from services.local.replay_states import BEFORE, REPLAY
from services.reports.digest import digest_parts
from services.runtime.logs import describe
from services.runtime.postgres import STATE, Connection, Database, UndefinedTableError, connect, is_outage
from services.runtime.rules import adopt_rules, changes, rules_of
from services.runtime.settings import Settings, SettingsError, StartError

REFUSED = (
    "Nothing was changed. The rules are the same, yet this program derives another state from the same events than the "
    "one in force: an error is mended, or there is a new one. Look at what moves; if it is right, `closedloop replay "
    "--accept` puts it in force"
)


ONCE_MORE = "run `closedloop replay` once more"


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
        try:
            return asyncio.run(replay(reached, wish, screen))
        except Exception as error:
            if not is_outage(error):
                raise
            raise StartError(f"{describe(error)}. The state is whole, the old or the new one; {ONCE_MORE}") from error


def main_drop(settings: Settings) -> int:
    """Free the disk of what replays have left: the former state, and that of a replay that was killed."""
    with open_database(settings, make=False) as dsn, terminal() as screen:
        return asyncio.run(_drop(dsn, screen))


async def replay(settings: Settings, wish: Wish, screen: Screen) -> int:
    """The whole replay; 1 when the new state was refused, else 0."""
    async with _claimed(settings.database_url.get_secret_value()) as (database, connection):
        changed = await _announce(settings, database, connection, screen)
        await states.make_new(connection)
        async with reading(settings, REPLAY) as anew:
            screen.step("Replaying")
            await anew.reach(await anew.ends(), screen.tell)
            await states.analyze_new(database)
            cause = Cause.rules_changed if changed else Cause.replayed
            ours = _Replay(settings, screen, database, anew, await states.begun_at(database), cause)
            verdict = await ours.come_to_a_verdict(wish)
        if verdict is not Verdict.switch:
            await states.drop(connection, REPLAY)
            screen.say(REFUSED if verdict is Verdict.refuse else "Nothing was changed.")
    return 1 if verdict is Verdict.refuse else 0


async def _announce(settings: Settings, database: Database, connection: Connection, screen: Screen) -> bool:
    """Say what is about to happen; whether the rules are others than those in force.

    Raises SettingsError when the leads in force have another key: the new ones would have other ids.
    """
    try:
        stored = await adopt_rules(database, settings)
        known = await database.fetchrow(states.queries.any_identifier)
    except UndefinedTableError as error:
        raise StartError("the database has no tables yet; run `closedloop migrate`") from error
    if known is not None and known["id"] != identifier_id(known["value"], settings.id_key.get_secret_value()):
        raise SettingsError(
            "CLOSEDLOOP_ID_KEY is not the key of the leads in this database; a replay would rename them"
        )
    wanted = rules_of(settings)
    changed = changes(stored, wanted)
    for name, old, new in changed:
        screen.say(f"{name}: {old} -> {new}")
    size = await states.size_of(connection, STATE)
    screen.say(f"The new state will need about as much room as the one in force: {_megabytes(size)}")
    return bool(changed)


@dataclass(frozen=True)
class _Replay:
    """One replay whose new state has been derived, but for what came in meanwhile."""

    settings: Settings
    screen: Screen
    database: Database
    anew: Reading
    begun: datetime
    cause: Cause

    async def come_to_a_verdict(self, wish: Wish) -> Verdict:
        """Compare, ask where there is something to ask, and put the new state in force if that is the verdict."""
        async with self._at_rest() as live:
            self.screen.step("Comparing; new events wait in the log")
            equal = await self._compare(live)
            verdict = verdict_on(wish, rules_changed=self.cause is Cause.rules_changed, equal=equal)
            if verdict is Verdict.switch:
                await self._switch()
        if verdict is not Verdict.ask:
            return verdict
        if self.screen.confirms("Put the new state in force?") is False:
            return Verdict.leave
        async with self._at_rest():  # nobody had to hold still while a person thought
            await self._switch()
        return Verdict.switch

    @asynccontextmanager
    async def _at_rest(self) -> AsyncIterator[Reading]:
        """Both states at the same record, with all its effects; who reads for the one in force holds still."""
        async with reading(self.settings, STATE) as live:
            self.screen.step("Waiting for the services to hold still")
            await live.hold(self.screen.tell)
            ends = await live.ends()
            self.screen.step("Catching up; new events wait in the log")
            for each in (live, self.anew):
                await each.reach(ends, self.screen.tell)
            yield live

    async def _compare(self, live: Reading) -> bool:
        """Say how the two states differ; whether they are equal."""
        digests = [await digest_parts(each.database) for each in (live, self.anew)]
        letters = [await each.database.fetchval(states.queries.letters) for each in (live, self.anew)]
        self.screen.say("Digests of the state in force, and what they are anew:")
        for line in digests_shown(*digests):
            self.screen.say(line)
        if letters[0] != letters[1]:
            self.screen.say(f"Dead letters: {letters[0]} -> {letters[1]}")
        if digests[0] == digests[1]:
            return True
        for line in moves_shown(await moves_of(self.database)):
            self.screen.say(line)
        return False

    async def _switch(self) -> None:
        self.screen.step("Putting the new state in force")
        await self.anew.stop()
        await states.put_in_force(
            self.database, self.begun, self.cause, lambda waiting: self.screen.tell(0, 0, waiting)
        )
        self.screen.say(
            f"The new state is in force. The former one is kept as schema {BEFORE} until the next replay; "
            "`closedloop replay --drop` frees its room"
        )


@asynccontextmanager
async def _claimed(dsn: str) -> AsyncIterator[tuple[Database, Connection]]:
    """A pool without limits to its statements, and a connection of it by which this is the only replay."""
    async with (
        connect(dsn, application="command", size=4, statement_seconds=LONG_STATEMENT_SECONDS, scans=True) as database,
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
