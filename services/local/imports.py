"""`closedloop import`: one command for each kind of file."""
# ruff: noqa: PLC0415 - a command imports what it needs when it runs, see services/cli.py

from typing import Annotated

import typer

from services.runtime.settings import load_settings

imports = typer.Typer(no_args_is_help=True, help="Send a CSV file to the collector; rows that are wrong are named.")

File = Annotated[str, typer.Argument(metavar="FILE", help="CSV in UTF-8 with a header")]


@imports.command("spend")
def import_spend(file: File) -> None:
    """What advertising cost: date, source, medium, campaign, amount, currency. Equal rows are added up."""
    from services.local.import_rows import SPEND
    from services.local.importing import import_file

    raise typer.Exit(import_file(load_settings(), SPEND, file))


@imports.command("rates")
def import_rates(file: File) -> None:
    """What currencies are worth in others: date, from, to, rate."""
    from services.local.import_rows import RATES
    from services.local.importing import import_file

    raise typer.Exit(import_file(load_settings(), RATES, file))
