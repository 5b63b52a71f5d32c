"""The command line: `closedloop COMMAND`. Each command is a few lines around a function that does it.

A command imports what it needs when it runs, so that `up`, which stays, holds no more than it uses.
"""
# ruff: noqa: PLC0415 - see above

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import orjson
import typer

from services.local.asking import ask, connected, fail
from services.local.dead_letters import dead_letters
from services.local.imports import imports
from services.local.why import why
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
app.add_typer(dead_letters, name="deadletters")
app.add_typer(imports, name="import")
app.add_typer(why)


def main() -> NoReturn:
    """Run the command of this process's arguments. What the user can mend is one line, and exit code 1 or 78."""
    try:
        app()
    except SettingsError as error:
        fail(str(error), EX_CONFIG)
    except StartError as error:
        fail(str(error), 1)
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
        for line in asyncio.run(connected(dsn, kept, read_only=False)):
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
        for name, value in ask(lambda database, _: digest_parts(database)).items():
            typer.echo(f"{value}  {name}")
    else:
        typer.echo(ask(lambda database, _: whole(database)))


@app.command()
def replay(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would move; nothing changes")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask before changed rules take effect")] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="take the new state also where it differs under the same rules")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="only free the room of the state that the last replay replaced")
    ] = False,
) -> None:
    """Derive everything anew from the first event, compare, and put it in force: so changed rules take effect.

    The services may run: events are taken in all the time, and reports answer. Without a terminal it does not ask.
    """
    from services.local.replay import Wish, main, main_drop

    settings = load_settings()
    raise typer.Exit(main_drop(settings) if drop else main(settings, Wish(dry_run, yes, accept)))


@app.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="as the API answers")] = False) -> None:
    """Show how far the consumers are, and whether every event has had its effects."""
    from services.reports.standing import status_of
    from services.reports.store import Store
    from services.runtime.open_log import open_history
    from services.runtime.rules import rules_of

    async def standing(database: "Database", settings: Settings) -> dict[str, object]:
        async with open_history(settings) as logs:
            return (await status_of(Store(database, rules_of(settings)), logs)).model_dump(mode="json")

    answer = ask(standing)
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
def attribute(
    *,
    paths: Annotated[str, typer.Option(metavar="FILE", help="a CSV file with columns path;conversions;value;nulls")],
    model: Annotated[str, typer.Option(help="markov, shapley, or a model of single journeys such as linear")],
    intervals: Annotated[
        bool, typer.Option("--intervals", help="also between what each credit lies, in 95 of 100 draws of the journeys")
    ] = False,
) -> None:
    """Say how much of a file of paths each channel earned."""
    from services.local.attribute import attribute as run

    run(paths, model, with_intervals=intervals)


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


def _json_line(line: bytes, number: int) -> dict[str, str]:
    try:
        asked = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        fail(f"line {number} is no JSON: {error}", 1)
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str | None) for name in ("url", "referrer")):
        fail(f'line {number} is no object such as {{"url": "https://...", "referrer": null}}', 1)
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


if __name__ == "__main__":
    main()
