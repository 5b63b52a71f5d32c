"""From rows of a file to events: what is refused, and what is added up. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from collector.fields import FIELDS, known_fields
from collector.payload import settle_payload
from collector.refusal import RefusedError
from identity.channel import offline_source
from schemas.csv_table import Row
from schemas.event import EventType
from schemas.money import decimal_text, minor_units, parse_rate

Fields = dict[str, Any]


class Refused(NamedTuple):
    """A row that was not imported, and why: `reason` is stable, `detail` is for people."""

    line: int
    reason: str
    detail: str


class Ready(NamedTuple):
    """An event to send, and the lines of the file that it came from."""

    event: Fields
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: what its rows are, and what becomes of several rows about one thing."""

    type: EventType
    noun: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    key_of: Callable[[Fields], tuple[str | None, ...]]
    """What the row is about, as the state will have it."""
    joined: Callable[[Sequence[Fields]], Fields | None]
    """One row for several about one thing; None when they contradict each other."""
    contradiction: str


def prepare(kind: Kind, rows: Iterable[Row], occurred_at: str) -> tuple[list[Ready], list[Refused]]:
    """The events of a file, all said at `occurred_at`, and the rows that are refused, in the order of the lines.

    Rows are held to the collector's own rules. Of rows that contradict each other all are refused: which of them is
    meant, nobody can tell.
    """
    refused: list[Refused] = []
    alike: dict[tuple[str | None, ...], list[tuple[int, Fields]]] = {}
    for row in rows:
        try:
            fields = _checked(kind, row)
        except RefusedError as error:
            refused.append(Refused(row.line, error.reason.name, error.detail))
        except ValueError as error:
            refused.append(Refused(row.line, "invalid_row", str(error)))
        else:
            alike.setdefault(kind.key_of(fields), []).append((row.line, fields))
    ready: list[Ready] = []
    for group in alike.values():
        lines = tuple(line for line, _ in group)
        joined = kind.joined([fields for _, fields in group])
        if joined is None:
            detail = f"{kind.contradiction}, see lines {', '.join(map(str, lines))}"
            refused += [Refused(line, "contradicting_rows", detail) for line in lines]
        else:
            ready.append(Ready({"type": kind.type.value, "occurred_at": occurred_at, **joined}, lines))
    return ready, sorted(refused)


def _checked(kind: Kind, row: Row) -> Fields:
    """The row's fields as the collector takes them. Raises RefusedError, or ValueError for a row of another shape."""
    if row.fault:
        raise ValueError(row.fault)
    fields = known_fields(row.cells, FIELDS[kind.type])
    settle_payload(fields, kind.type)
    return fields


def _spend_key(fields: Fields) -> tuple[str | None, ...]:
    """Under the names by which the source is known: `fb` and `Facebook` are one."""
    found = offline_source(None, fields.get("source"), fields.get("medium"), fields.get("campaign"))
    return (fields["date"], found.source, found.medium, found.campaign)


def _added_up(rows: Sequence[Fields]) -> Fields | None:
    currency = rows[0]["currency"]
    if any(row["currency"] != currency for row in rows):
        return None
    amount = sum(minor_units(row["amount"], currency) for row in rows)
    return {**rows[0], "amount": decimal_text(amount, currency)}


def _the_one(rows: Sequence[Fields]) -> Fields | None:
    worth = {parse_rate(row["rate"], row["from"], row["to"]) for row in rows}
    return rows[0] if len(worth) == 1 else None


SPEND = Kind(
    EventType.spend,
    "spend",
    columns=("date", "source", "medium", "campaign", "amount", "currency"),
    needed=("date", "source", "amount", "currency"),
    key_of=_spend_key,
    joined=_added_up,
    contradiction="one day, source, medium and campaign has spend in two currencies",
)
RATES = Kind(
    EventType.rate,
    "rates",
    columns=("date", "from", "to", "rate"),
    needed=("date", "from", "to", "rate"),
    key_of=lambda fields: (fields["date"], fields["from"], fields["to"]),
    joined=_the_one,
    contradiction="one day and pair of currencies has two rates",
)
