"""`closedloop deadletters retry`: which letters, with which handlers, and what the user sees of it."""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from attributor.crediting import Crediting
from identity.resolver import Resolver
from schemas.topics import ATTRIBUTOR, IDENTITY
from services.runtime import retrying
from services.runtime.dead_letters import to_retry
from services.runtime.delivering import Handler
from services.runtime.postgres import Database
from services.runtime.rules import adopt_rules
from services.runtime.settings import Settings, StartError

GROUPS = (IDENTITY, ATTRIBUTOR)


class Choice(NamedTuple):
    """Which letters; None stands for any."""

    numbers: Sequence[int] | None
    group: str | None
    reason: str | None


async def retry(database: Database, settings: Settings, choice: Choice, dry_run: bool) -> int:
    """Retry the letters and print one line of result; the exit code is 1 when one failed again.

    Raises StartError for a letter or a service that there is not, SettingsError without the key of the leads.
    """
    if choice.group is not None and choice.group not in GROUPS:
        raise StartError(f"--group {choice.group}: only {' and '.join(GROUPS)} put records aside")
    groups = GROUPS if choice.group is None else (choice.group,)
    chosen = await to_retry(database, groups, choice.numbers, choice.reason)
    missing = set(choice.numbers or ()) - {number for numbers in chosen.values() for number in numbers}
    if missing:
        named = ", ".join(map(str, sorted(missing)))
        raise StartError(f"no such dead letter: {named}; `closedloop deadletters list` names those that are left")
    handlers: Mapping[str, Handler | None] = dict.fromkeys(GROUPS) if dry_run else await handlers_of(database, settings)
    outcome = await _with_progress(database, handlers, chosen)
    failed = outcome.failed.total()
    done, again = ("can be read", "cannot") if dry_run else ("done", "failed again")
    reasons = f" ({outcome.reasons})" if failed else ""
    print(f"{outcome.done} {done}, {failed} {again}{reasons}")  # noqa: T201 - the result
    return 1 if failed else 0


async def handlers_of(database: Database, settings: Settings) -> dict[str, Handler]:
    """What each service does with its records, under the rules in force."""
    settings.require("id_key")
    id_key = settings.id_key.get_secret_value()
    rules = await adopt_rules(database, settings)
    return {
        IDENTITY: Resolver(database, id_key, rules.own_domains),
        ATTRIBUTOR: Crediting(database, id_key, rules),
    }


async def _with_progress(
    database: Database, handlers: Mapping[str, Handler | None], chosen: dict[str, list[int]]
) -> retrying.Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TextColumn("[yellow]{task.fields[note]}"), console=console, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task("Dead letters", total=sum(map(len, chosen.values())), note="")

        def tell(through: int, waiting: str) -> None:
            progress.update(task, completed=through, note=waiting)
            if waiting and not sys.stderr.isatty():
                print(waiting, file=sys.stderr)  # noqa: T201 - a message to the user

        return await retrying.retry(database, handlers, chosen, tell)
