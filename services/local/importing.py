"""`closedloop import`: a file of the user's, row by row, as events to the collector."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from collector.intake import BATCH_EVENTS
from schemas.csv_table import Row, UnreadableError, read_table
from schemas.instant import format_instant
from services.local.asking import fail
from services.local.import_rows import Kind, Ready, Refused, prepare
from services.local.installation import InstallationError, connect
from services.runtime.clock import utc_now
from services.runtime.settings import Settings

BATCH_BYTES = 400_000
"""Of one request, with room to the collector's 500 KB."""


def import_file(settings: Settings, kind: Kind, file: str) -> int:
    """Send what the file says, with a line for each row that is refused and one for the whole; the exit code.

    It is 1 when a row was refused, or the file could not be read or sent. What was sent counts once, however often
    the command is repeated: a later import of the same rows says the same.
    """
    settings.require("admin_token")
    rows = _read(kind, file)
    ready, refused = prepare(kind, rows, format_instant(utc_now()))
    _name(file, refused)
    try:
        unwanted = asyncio.run(_send_all(settings, kind, ready))
    except InstallationError as error:
        fail(str(error), 1)
    _name(file, unwanted)
    lines = {line for line, _, _ in refused + unwanted}
    imported = len(rows) - len(lines)
    records = sum(lines.isdisjoint(each.lines) for each in ready)
    added_up = f", added up to {records}" if records < imported else ""
    typer.echo(f"{kind.noun}: {len(rows)} rows read, {imported} imported{added_up}; {len(lines)} refused")
    return 1 if lines else 0


def _read(kind: Kind, file: str) -> list[Row]:
    try:
        return list(read_table(Path(file).read_bytes(), kind.columns, kind.needed))
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", 1)
    except UnreadableError as error:
        fail(f"{file}, {error}", 1)


def _name(file: str, refused: Sequence[Refused]) -> None:
    for line, reason, detail in refused:
        typer.echo(f"{file}, line {line}: {reason}: {detail}", err=True)


async def _send_all(settings: Settings, kind: Kind, ready: Sequence[Ready]) -> list[Refused]:
    """Send all, waiting while the collector is away; the rows that it refused."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    refused: list[Refused] = []
    with Progress(
        *columns, TextColumn("[yellow]{task.fields[note]}"), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"Importing {kind.noun}", total=len(ready), note="")
        told = ""

        def tell(note: str) -> None:
            nonlocal told
            progress.update(task, note=note)
            if note and note != told and not console.is_terminal:
                typer.echo(note, err=True)
            told = note

        async with connect(settings, tell) as installation:
            for batch in batches(ready):
                for rejection in await installation.send([each.event for each in batch]):
                    lines = batch[rejection["index"]].lines
                    refused += [Refused(line, rejection["reason"], rejection["message"]) for line in lines]
                progress.advance(task, len(batch))
    return refused


def batches(ready: Sequence[Ready]) -> Iterator[list[Ready]]:
    """In the order given, each as many as one request may hold."""
    batch: list[Ready] = []
    weight = 0
    for each in ready:
        more = len(orjson.dumps(each.event)) + 1
        if batch and (len(batch) == BATCH_EVENTS or weight + more > BATCH_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(each)
        weight += more
    if batch:
        yield batch
