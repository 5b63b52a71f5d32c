"""`closedloop demo`: plays a simulated shop through the public addresses and holds the answers against its truth."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.money import minor_units
from services.local.installation import PATIENCE, Installation, InstallationError, connect
from services.local.shop import Shop, simulate
from services.local.shop.calls import Call, calls_of
from services.local.shop.comparison import Measured, compare, expect
from services.local.shop.credit import MODELS
from services.local.shop.history import CURRENCY, PROVIDER, Deal
from services.local.shop.page import page
from services.local.shop.truth import Credit
from services.runtime.settings import Settings

AT_ONCE = 4
"""Calls under way at a time."""

T = TypeVar("T")


def main_demo(settings: Settings, visitors: int, seed: int, model: str) -> int:
    """Run the demo and print its result.

    The exit code is 0 when every cent is explained, 1 when one is not or the installation fails, 2 for an argument.
    """
    if model not in MODELS:
        return _complain(f"--model {model} is not known; take one of {', '.join(MODELS)}", 2)
    if visitors < 1:
        return _complain(f"--visitors {visitors}: a shop needs at least one visitor", 2)
    console = Console()
    shop = simulate(seed, visitors)
    columns = (TextColumn("{task.description:<29}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TextColumn("[yellow]{task.fields[note]}"), console=console) as progress:
            measured, lookback = asyncio.run(play(shop, settings, model, progress))
            seconds = sum(task.finished_time or 0.0 for task in progress.tasks)
    except InstallationError as error:
        return _complain(str(error), 1)
    comparison = compare(shop, expect(shop, model, lookback), measured)
    console.print(page(comparison, model))
    console.print(f"{_census(shop)}; {seconds:.0f} seconds.\nDashboard: {settings.reports_url}", highlight=False)
    return 0 if comparison.explained else 1


async def play(shop: Shop, settings: Settings, model: str, progress: Progress) -> tuple[Measured, timedelta]:
    """Send the whole shop, wait until all of it has had its effects, and read what was measured.

    Returns this with the lookback that the installation works with. Raises InstallationError.
    """
    async with connect(settings, lambda note: _note(progress, note)) as installation:
        await installation.knock()
        await _send(installation, shop, progress)
        lookback = await _settle(installation, progress)
        return await _measure(installation, shop, model, progress), lookback


async def _send(installation: Installation, shop: Shop, progress: Progress) -> None:
    calls = calls_of(shop)
    task = progress.add_task("Visitors come, deals are made", total=sum(len(call.payloads) for call in calls), note="")

    async def deliver(call: Call) -> None:
        await installation.deliver(call)
        progress.advance(task, len(call.payloads))

    await _each(calls, deliver)


async def _settle(installation: Installation, progress: Progress) -> timedelta:
    """Wait until everything sent has had its effects; the lookback that the installation works with."""
    clock = asyncio.get_running_loop().time
    task = progress.add_task("Leads and credits follow", total=None, note="")
    most, before, moved = 1, -1, clock()
    while not (status := await installation.status())["settled"]:
        behind = sum(status["lag"].values()) + sum(status.get("notes", {}).values())
        most = max(most, behind)
        progress.update(task, total=most, completed=most - behind)
        if behind != before:
            before, moved = behind, clock()
        elif clock() - moved > PATIENCE:
            hint = "`closedloop status` and the services' messages tell more"
            raise InstallationError(f"nothing moves for {PATIENCE:.0f} seconds, lag {status['lag']}; {hint}")
        await asyncio.sleep(0.25)
    progress.update(task, total=most, completed=most)
    return timedelta(days=status["rules"]["lookback_days"])


async def _measure(installation: Installation, shop: Shop, model: str, progress: Progress) -> Measured:
    """The credits of every deal of the shop, and the report by channel over all that the installation holds."""
    task = progress.add_task("Reading the credits", total=len(shop.deals), note="")
    found: dict[str, tuple[Credit, ...]] = {}

    async def read(deal: Deal) -> None:
        rows = await installation.credits(f"{PROVIDER}:{deal.deal_id}", model)
        found[deal.deal_id] = tuple(Credit(row["touch_id"], row["channel"], _cents(row["amount"])) for row in rows)
        progress.advance(task)

    await _each(shop.deals, read)
    report = await installation.revenue(model, CURRENCY)
    rows = {row["key"]: _cents(row["amount"]) for row in report["rows"]}
    return Measured(found, round(report["totals"]["deals"]), rows)


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for all items in their order, a few at a time. The first failure ends it."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(worker())
    except* InstallationError as group:
        failure = group.exceptions[0]
    else:
        return
    raise failure


def _census(shop: Shop) -> str:
    return (
        f"Seed {shop.seed}: {shop.visitors:,} visitors, {len(shop.people):,} people, {len(shop.deliveries):,} events, "
        f"{shop.leads:,} leads, {len(shop.deals):,} deals, {len(shop.won_deals):,} of them won"
    )


def _cents(amount: str) -> int:
    return minor_units(amount, CURRENCY)


def _note(progress: Progress, note: str) -> None:
    """Show beside the running bar what is being waited for."""
    if progress.tasks and progress.tasks[-1].fields["note"] != note:
        progress.update(progress.tasks[-1].id, note=note)


def _complain(line: str, code: int) -> int:
    print(f"closedloop demo: {line}", file=sys.stderr)  # noqa: T201 - the message to the user
    return code
