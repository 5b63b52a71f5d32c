"""How a command of the command line asks the database one question, and how it fails."""
# ruff: noqa: PLC0415 - a command imports what it needs when it runs, see services/cli.py

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer
from pydantic import SecretStr

from services.runtime.settings import Settings, StartError, load_settings

if TYPE_CHECKING:
    from services.runtime.postgres import Database

T = TypeVar("T")


def ask(question: Callable[["Database", Settings], Awaitable[T]], *, read_only: bool = True) -> T:
    """The answer of one question to the database: the one that runs, or one started for it."""
    from services.local.postgres import database
    from services.runtime.postgres import UndefinedTableError

    settings = load_settings()
    with database(settings, make=False) as dsn:
        reached = settings.model_copy(update={"database_url": SecretStr(dsn)})
        try:
            return asyncio.run(connected(dsn, lambda connection: question(connection, reached), read_only=read_only))
        except UndefinedTableError as error:
            raise StartError("the database has no tables yet; run `closedloop migrate`") from error


async def connected(dsn: str, question: Callable[["Database"], Awaitable[T]], *, read_only: bool) -> T:
    """The answer to a question asked over a pool of its own."""
    from services.runtime.postgres import connect

    async with connect(dsn, application="command", size=2, read_only=read_only, scans=True) as connection:
        return await question(connection)


def fail(line: str, code: int) -> NoReturn:
    """End the command with one line for its user."""
    typer.echo(f"closedloop: {line}", err=True)
    sys.exit(code)
