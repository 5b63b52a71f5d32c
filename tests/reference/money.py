"""What a source cost on a day, and what a currency is worth in another: of the events about one thing the newest counts."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from schemas.event import EventType
from schemas.instant import parse_date
from schemas.money import EXPONENTS, minor_units
from tests.reference.counting import Record
from tests.reference.offline import words_of

Row = tuple[Any, ...]


def spend_rows(counting: Iterable[Record]) -> list[Row]:
    newest: dict[Row, Row] = {}
    for record in _in_order(counting, EventType.spend):
        said = record.body
        channel, source, medium, campaign, *_ = words_of(record)
        amount = minor_units(said["amount"], said["currency"])
        key = (parse_date(said["date"]), source, medium, campaign)
        newest[key] = (key[0], channel, source, medium, campaign, amount, said["currency"])
    return sorted((row for row in newest.values() if row[5]), key=lambda row: [(each is None, each) for each in row])


def rate_rows(counting: Iterable[Record]) -> list[Row]:
    newest: dict[Row, Row] = {}
    for record in _in_order(counting, EventType.rate):
        held, wanted, day = record.body["from"], record.body["to"], parse_date(record.body["date"])
        factor = Decimal(record.body["rate"]) * Decimal(10) ** (EXPONENTS[wanted] - EXPONENTS[held])
        newest[held, wanted, day] = (held, wanted, day, f"{factor.normalize():f}")
    return sorted(newest.values())


def _in_order(counting: Iterable[Record], kind: EventType) -> list[Record]:
    ours = (record for record in counting if record.event.type is kind and not record.is_apart)
    return sorted(ours, key=lambda record: (record.event.occurred_at, record.event.event_id))
