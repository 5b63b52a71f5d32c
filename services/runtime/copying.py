"""Rows for COPY in its text format: the quickest way of long arrays into Postgres.

asyncpg's own binary records look at each element of an array in Python's way. The format is that of Postgres'
documentation: COPY, "Text Format".
"""

import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from services.runtime.arrays import array_literal, plain_array
from services.runtime.postgres import Connection

Cell = str | int | datetime | bytes | None
"""What `array` has made is bytes."""

_NULL = b"\\N"
_SPECIAL = re.compile(rb"[\\\t\n\r]")
_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"))


async def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Iterable[Cell]]) -> None:
    """Add rows to a table of the search path, each with one cell a column."""
    text = b"".join(b"\t".join(map(_cell, row)) + b"\n" for row in rows)
    await connection.copy_to_table(table, source=io.BytesIO(text), columns=columns, format="text")


def array(values: Sequence[str | int | float | datetime | None]) -> bytes:
    """A cell that is an array of one dimension."""
    return plain_array(values) or _escaped(array_literal(values).encode())


def _cell(value: Cell) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return b"%d" % value
    return _NULL if value is None else value.isoformat().encode()


@lru_cache(1024)
def _text(value: str) -> bytes:
    """Rows that belong together repeat their names."""
    return _escaped(value.encode())


def _escaped(text: bytes) -> bytes:
    if _SPECIAL.search(text):
        for character, escape in _ESCAPES:
            text = text.replace(character, escape)
    return text
