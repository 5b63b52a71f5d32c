"""`closedloop demo`: plays a simulated shop through the public addresses and holds the answers against its truth."""

import asyncio
import sys
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from schemas.money import minor_units
from services.local.installation import PATIENCE, Installation, InstallationError, connect
from services.local.shop import Shop, simulate
from services.local.shop.calls import calls_of
from services.local.shop.comparison import compare, expect
from services.local.shop.credit import MODELS
from services.local.shop.history import CURRENCY, PROVIDER
from services.local.shop.page import Facts, page
from services.local.shop.truth import Credit
from services.runtime.settings import Settings

AT_ONCE = 4
"""Calls under way at a time."""

Measured = dict[str, list[Credit]]
"""The credits of every deal of the shop, by its id."""


def main_demo(settings: Settings, visitors: int, seed: int, model: str) -> int:
    """Run the demo and print its result.

    The exit code is 0 when every cent is explained, 1 when one is not or the installation fails, 2 for a wrong argument.
    """
    if model not in MODELS:
        return _complain(f"--model {model} is not known; take one of {', '.join(MODELS)}", 2)
    if visitors < 1:
        return _complain(f"--visitors {visitors}: a shop needs at least one visitor", 2)
    console = Console()
    shop = simulate(seed, visitors)
    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[yellow]{task.fields[note]}"),
        console=console,
    ) as progress:
        try:
            measured, lookback = asyncio.run(play(shop, settings, model, progress))
        except InstallationError as error:
            progress.stop()
            return _complain(str(error), 1)
        seconds = sum(task.finished_time or 0 for task in progress.tasks)
    comparison = compare(expect(shop, model, lookback), measured)
    console.print(page(comparison, model, Facts(shop, seconds, settings.reports_url)))
    return 1 if comparison.disagreements else 0


async def play(shop: Shop, settings: Settings, model: str, progress: Progress) -> tuple[Measured, timedelta]:
    """Send the whole shop, wait until all of it has had its effects, and read the credits of all its deals.

    Returns them with the lookback that the installation works with. Raises InstallationError.
    """
    sending = progress.add_task("Visitors come, deals are made", total=None, note="")
    async with connect(settings, lambda note: progress.update(sending, note=note)) as installation:
        await _send(installation, shop, progress, sending)
        lookback = await _settle(installation, progress)
        return await _read(installation, shop, model, progress), lookback
