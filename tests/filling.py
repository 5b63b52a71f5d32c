"""A database that is filled once, for all tests that read it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from services.runtime.postgres import Database, connect
from tests.conftest import fresh_database


@contextmanager
def filled_database(server: str, template: str, fill: Callable[[Database], Awaitable[None]]) -> Iterator[str]:
    """The address of a copy of `template`, once `fill` is through with it."""
    with fresh_database(server, f"TEMPLATE {template}") as dsn:
        asyncio.run(_fill(dsn, fill))
        yield dsn


async def _fill(dsn: str, fill: Callable[[Database], Awaitable[None]]) -> None:
    async with connect(dsn, application="fill", size=6) as database:
        await fill(database)
