"""A table as spreadsheets write it into a CSV file, row by row. Pure; which columns there are the caller says."""

import csv
import io
import re
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SEPARATORS = (";", ",", "\t")

_EMPTY = "".join(SEPARATORS) + string.whitespace
_LINE_END = re.compile(rb"\r\n?|\n")


class UnreadableError(ValueError):
    """The file as a whole is not what it should be; the message is one line for whoever made it."""


class Row(NamedTuple):
    """One row of the file."""

    line: int
    """On which it begins; the header's is 1, unless empty lines stand before it."""
    cells: dict[str, str]
    """Trimmed, by column; an empty cell is left out."""
    fault: str = ""
    """Why the cells cannot be told; empty for a sound row."""


def read_table(data: bytes, columns: Sequence[str], needed: Sequence[str]) -> Iterator[Row]:
    """The rows of a file whose header names some of `columns`, in any order and case, and all that are `needed`.

    UTF-8, with or without a byte order mark, any ends of lines, separated by `;`, commas or tabs, whichever the header
    has first in that order. Rows without anything in a cell are skipped. A row of too many or too few cells has a
    fault. Raises UnreadableError, with the line, at the place where reading ends.
    """
    text = _text(data)
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # how long a cell may be is its reader's to say
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                if header:
                    yield _row(header, cells, line)
                else:
                    header = _header(cells, line, columns, needed)
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableError(f"line {line}: {error}") from error
    if not header:
        raise UnreadableError(f"line 1: a header such as {SEPARATORS[0].join(columns)} is missing")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(data, 0, error.start)) + 1
        raise UnreadableError(f"line {line}: this is not UTF-8; save the file as CSV in UTF-8") from error


def _separator(text: str) -> str:
    header, *_ = re.split(r"[\r\n]", text.lstrip(_EMPTY), maxsplit=1)
    return next((each for each in SEPARATORS if each in header), SEPARATORS[0])


def _header(cells: Sequence[str], line: int, columns: Sequence[str], needed: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in columns:
            raise UnreadableError(f"line {line}: the column {name!r} is none of {', '.join(columns)}")
        if names.count(name) > 1:
            raise UnreadableError(f"line {line}: the column {name!r} is there twice")
    for name in needed:
        if name not in names:
            raise UnreadableError(f"line {line}: the column {name!r} is missing")
    return names


def _row(header: Sequence[str], cells: Sequence[str], line: int) -> Row:
    if len(cells) != len(header):
        return Row(line, {}, f"the header has {len(header)} columns, this row has {len(cells)}")
    return Row(line, {name: told for name, cell in zip(header, cells, strict=True) if (told := cell.strip())})
