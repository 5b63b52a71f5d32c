"""`closedloop deadletters`: list the records that were put aside, show one, try them once more after a fix."""
# ruff: noqa: PLC0415 - a command imports what it needs when it runs, see services/cli.py

from typing import Annotated

import orjson
import typer

from services.local.asking import ask, fail

dead_letters = typer.Typer(no_args_is_help=True, help="Records that could not be read or handled.")

Group = Annotated[str | None, typer.Option(help="only of this service: identity or attributor")]
Reason = Annotated[str | None, typer.Option(help="only those put aside for this reason")]


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

    for letter in ask(lambda database, _: newest(database, limit, group=group, reason=reason)):
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

    letter = ask(lambda database, _: one(database, number))
    if letter is None:
        fail(f"there is no dead letter {number}; `closedloop deadletters list` names them", 1)
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
        fail("which ones? Give their IDs, --group, --reason, or --all", 2)
    choice = Choice(numbers or None, group, reason)
    raise typer.Exit(ask(lambda database, settings: retry(database, settings, choice, dry_run), read_only=dry_run))
