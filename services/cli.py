"""The command line: `closedloop COMMAND`. Each command is a few lines around a function that does it.

A command imports what it needs when it runs, so that `up`, which stays, holds no more than it uses.
"""
# ruff: noqa: PLC0415 - see above

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import orjson
import typer
from pydantic import SecretStr

from services.runtime.settings import EX_CONFIG, Settings, SettingsError, StartError, load_settings

if TYPE_CHECKING:
    from services.runtime.postgres import Database

app = typer.Typer(
    name="closedloop",
    help="Which marketing wins customers, to the cent. Settings are CLOSEDLOOP_* variables; the README lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dead_letters = typer.Typer(no_args_is_help=True, help="Records that could not be read or handled.")
app.add_typer(dead_letters, name="deadletters")

T = TypeVar("T")
Group = Annotated[str | None, typer.Option(help="only of this service: identity or attributor")]
Reason = Annotated[str | None, typer.Option(help="only those put aside for this reason")]
DealAddress = Annotated[str, typer.Argument(metavar="DEAL", help="provider:deal_id, or the deal id alone")]


def main() -> NoReturn:
    """Run the command of this process's arguments. What the user can mend is one line, and exit code 1 or 78."""
    try:
        app()
    except SettingsError as error:
        _fail(str(error), EX_CONFIG)
    except StartError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


@app.command()
def up() -> None:
    """Start everything on this machine: Postgres, collector, identity, attributor, reports."""
    from services.local.supervisor import up as run

    raise typer.Exit(run(load_settings()))


@app.command()
def collector() -> None:
    """Run the collector alone."""
    _become("collector")


@app.command()
def identity() -> None:
    """Run the identity consumer alone."""
    _become("identity")


@app.command()
def attributor() -> None:
    """Run the attributor alone."""
    _become("attributor")


@app.command()
def reports() -> None:
    """Run the reports API and the dashboard alone."""
    _become("services.reports")


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables, and say so when a rule of the settings is not the one in force."""
    from services.local.postgres import database
    from services.runtime.migrate import migrate as run
    from services.runtime.rules import adopt_rules, differences, rules_of

    async def kept(connection: "Database") -> list[str]:
        return differences(await adopt_rules(connection, settings), rules_of(settings))

    settings = load_settings()
    with database(settings) as dsn:
        applied = asyncio.run(run(dsn, typer.echo))
        if settings.kafka_servers:
            from services.runtime.kafka_topics import make_topics

            asyncio.run(make_topics(settings, typer.echo))
        for line in asyncio.run(_connected(dsn, kept, read_only=False)):
            typer.echo(line)
    if not applied:
        typer.echo("the database is up to date")


@app.command()
def digest(
    *, parts: Annotated[bool, typer.Option("--parts", help="one hash a part, to find a difference")] = False
) -> None:
    """Print one SHA-256 over the present state; equal for equal events, in whatever order they came."""
    from services.reports.digest import digest as whole
    from services.reports.digest import digest_parts

    if parts:
        for name, value in _ask(lambda database, _: digest_parts(database)).items():
            typer.echo(f"{value}  {name}")
    else:
        typer.echo(_ask(lambda database, _: whole(database)))


@app.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="as the API answers")] = False) -> None:
    """Show how far the consumers are, and whether every event has had its effects."""
    from services.reports.standing import status_of
    from services.reports.store import Store
    from services.runtime.open_log import open_history
    from services.runtime.rules import rules_of

    async def ask(database: "Database", settings: Settings) -> dict[str, object]:
        async with open_history(settings) as logs:
            return (await status_of(Store(database, rules_of(settings)), logs)).model_dump(mode="json")

    answer = _ask(ask)
    if json:
        typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
        return
    typer.echo("settled: everything logged has had its effects" if answer["settled"] else "working")
    for name, value in answer.items():
        if name != "settled":
            shown = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
            typer.echo(f"{name}: {shown}")


@app.command()
def classify(
    *,
    url: Annotated[str | None, typer.Option(help="the page")] = None,
    referrer: Annotated[str | None, typer.Option(help="where the visitor came from")] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="one object with url and referrer a line of standard input")
    ] = False,
) -> None:
    """Say which channel a hit belongs to."""
    from identity.channel import classify as source_of

    own = load_settings().own_domains
    if not jsonl:
        typer.echo(orjson.dumps(source_of(url, referrer, own), option=orjson.OPT_INDENT_2))
        return
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            asked = _json_line(line, number)
            sys.stdout.buffer.write(orjson.dumps(source_of(asked.get("url"), asked.get("referrer"), own)) + b"\n")
            sys.stdout.buffer.flush()


@app.command()
def explain(deal: DealAddress) -> None:
    """Say why a deal's money went where it went."""
    from services.reports.explain import explain as run
    from services.reports.questions import Refusal

    try:
        typer.echo(_ask(lambda database, settings: run(database, settings, deal)))
    except Refusal as refusal:
        _fail(str(refusal), 1)


@dead_letters.command("list")
def list_dead_letters(
    *,
    limit: Annotated[int, typer.Option(min=1, help="how many, the newest first")] = 50,
    group: Group = None,
    reason: Reason = None,
    json: Annotated[bool, typer.Option("--json", help="one object a line")] = False,
) -> None:
    """List them, the newest first."""
    from services.runtime.dead_letters import newest, place_of

    for letter in _ask(lambda database, _: newest(database, limit, group=group, reason=reason)):
        if json:
            typer.echo(orjson.dumps(dict(letter), default=str))
        else:
            found = f"{letter['found_at']:%Y-%m-%d %H:%M}"
            typer.echo(
                f"{letter['id']}  {found}  {letter['consumer_group']}  {place_of(letter)}  "
                f"{letter['reason']}  {letter['detail']}"
            )


@dead_letters.command("show")
def show_dead_letter(number: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Show one with its place, its reason and its bytes, which may hold personal data."""
    from services.runtime.dead_letters import one, place_of, readable

    letter = _ask(lambda database, _: one(database, number))
    if letter is None:
        _fail(f"there is no dead letter {number}; `closedloop deadletters list` names them", 1)
    typer.echo(f"group   {letter['consumer_group']}")
    typer.echo(f"place   {place_of(letter)} of log {letter['log_id']}")
    typer.echo(f"found   {letter['found_at']:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"tries   {letter['tries']}")
    typer.echo(f"reason  {letter['reason']}")
    typer.echo(f"detail  {letter['detail']}")
    typer.echo(f"value   {len(letter['value'])} bytes:")
    typer.echo(readable(letter["value"]))
    typer.echo("The value may hold personal data: do not pass it on.", err=True)


@dead_letters.command("retry")
def retry_dead_letters(
    *,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="ID")] = None,
    every: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    group: Group = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only try to read them; nothing changes")] = False,
) -> None:
    """After a fix, hand records once more to the services that failed on them; they may run meanwhile.

    What succeeds is taken off the list, what fails again stays with its new reason, and the exit code is 1.
    """
    from services.local.retrying import Choice, retry

    if not (numbers or every or group or reason):
        _fail("which ones? Give their IDs, --group, --reason, or --all", 2)
    choice = Choice(numbers or None, group, reason)
    raise typer.Exit(_ask(lambda database, settings: retry(database, settings, choice, dry_run), read_only=dry_run))


@app.command()
def demo(
    visitors: Annotated[int, typer.Option(min=1, max=100_000, help="how many visitors the shop has")] = 3000,
    seed: Annotated[int, typer.Option(help="another seed is another shop")] = 7,
    model: Annotated[str, typer.Option(help="the model of the table at the end")] = "linear",
) -> None:
    """Play a simulated shop through the public addresses, and compare revenue by channel with the truth it planted."""
    from services.local.demo import main_demo
    from services.local.run_file import running_up
    from services.local.running import running

    settings = load_settings()
    is_running = running_up(settings.data_dir) is not None
    with running(settings) as ready:
        code = main_demo(ready, visitors, seed, model)
    if not is_running:
        typer.echo(
            f"Everything is stopped again; the data is in {settings.data_dir}. Start `closedloop up` to look at it."
        )
    raise typer.Exit(code)


def _ask(question: Callable[["Database", Settings], Awaitable[T]], *, read_only: bool = True) -> T:
    """The answer of one question to the database: the one that runs, or one started for it."""
    from services.local.postgres import database
    from services.runtime.postgres import UndefinedTableError

    settings = load_settings()
    with database(settings, make=False) as dsn:
        reached = settings.model_copy(update={"database_url": SecretStr(dsn)})
        try:
            return asyncio.run(_connected(dsn, lambda connection: question(connection, reached), read_only=read_only))
        except UndefinedTableError as error:
            raise StartError("the database has no tables yet; run `closedloop migrate`") from error


async def _connected(dsn: str, question: Callable[["Database"], Awaitable[T]], *, read_only: bool) -> T:
    from services.runtime.postgres import connect

    async with connect(dsn, application="command", size=2, read_only=read_only) as connection:
        return await question(connection)


def _json_line(line: bytes, number: int) -> dict[str, str]:
    try:
        asked = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        _fail(f"line {number} is no JSON: {error}", 1)
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str | None) for name in ("url", "referrer")):
        _fail(f'line {number} is no object such as {{"url": "https://...", "referrer": null}}', 1)
    return asked


def _become(module: str) -> NoReturn:
    """Go on as this service, in the same process: signals and exit codes are the service's own.

    Without a database of its own it works beside the `up` that runs on the data folder, on that one's.
    """
    from services.local.processes import python
    from services.local.run_file import running_up

    settings = load_settings()
    if not settings.database_url.get_secret_value() and (running := running_up(settings.data_dir)):
        os.environ["CLOSEDLOOP_DATABASE_URL"] = running.dsn
    os.execv(sys.executable, python(module))  # noqa: S606 - our own interpreter, no shell


def _fail(line: str, code: int) -> NoReturn:
    typer.echo(f"closedloop: {line}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
