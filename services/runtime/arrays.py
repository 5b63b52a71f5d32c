"""Arrays as text, as Postgres reads them: the quickest way of many rows into a statement.

asyncpg's own binary arrays look at each element in Python's way, twice. The format is that of Postgres' documentation:
Arrays, "Array Input and Output Syntax".
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any
from uuid import UUID

import orjson

Parameter = list[UUID] | str | None
"""One of a statement: an array of ids, the text of another array, or NULL."""

_ENDS_OF_TIME = (
    ('"0001-01-01"', "-infinity"),
    ('"9999-12-31"', "infinity"),
    ('"0001-01-01T00:00:00+00:00"', "-infinity"),
    ('"9999-12-31T23:59:59.999999+00:00"', "infinity"),
)


def arrays(rows: Sequence[Sequence[Any]]) -> list[Parameter]:
    """Rows as one parameter a column, for `unnest($1::uuid[], $2::text::timestamptz[])`; of no rows there are none.

    Ids stay a list, which Postgres takes as they are; reading them would take it longer. All else is text. Instants are
    in UTC; Python's first and last instant and day are Postgres' infinities, as asyncpg has it. A column of nothing but
    nulls is NULL, which `unnest` makes up for.
    """
    return [_parameter(column) for column in zip(*rows, strict=True)]


def array_literal(values: Sequence[Any]) -> str:
    """An array of one dimension; of text, numbers, booleans, dates or instants, and nulls."""
    plain = plain_array(values)
    return plain.decode() if plain is not None else f"{{{','.join(map(_element, values))}}}"


def plain_array(values: Sequence[Any]) -> bytes | None:
    """The same where no character has to be escaped, else None: JSON as it is, but for the brackets."""
    listed = orjson.dumps(values, default=_decimal)
    return b"{" + listed[1:-1] + b"}" if b"\\" not in listed else None


def _parameter(column: Sequence[Any]) -> Parameter:
    match next((value for value in column if value is not None), None):
        case None:
            return None
        case UUID():
            return list(column)
        case date():
            return reduce(lambda text, end: text.replace(*end), _ENDS_OF_TIME, array_literal(column))
        case _:
            return array_literal(column)


def _element(value: Any) -> str:
    if not isinstance(value, str):
        return orjson.dumps(value, default=_decimal).decode()
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"no element of an array: {type(value).__name__}")
