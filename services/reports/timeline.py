"""A lead's history in pages: pure. Rows of the query `timeline` to entries, and the cursor between two pages."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field, TypeAdapter

from schemas.event import Instant
from schemas.instant import format_instant
from schemas.note import ALL_TIME
from services.reports.lead_answers import Entry
from services.reports.questions import Refusal
from services.reports.rows import Row, amount_text, deal_address
from services.reports.score import Moment

PAGE = 100
NEWEST_MOMENTS = 1000
"""The score looks at the newest so many entries of the timeline."""


Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Postgres refuses U+0000."""


class Place(NamedTuple):
    """Where an entry stands in the history. No two have one place."""

    at: Instant
    place: Annotated[int, Field(ge=0, le=9)]
    id: Text
    within: Text


END = Place(ALL_TIME[1], 0, "", "")

_PLACE = TypeAdapter(Place)
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


def place_of(cursor: str | None) -> Place:
    """The place that an answer's `before` stands for; without one the end of the history. Raises Refusal."""
    if not cursor:
        return END
    try:
        return _PLACE.validate_json(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError as error:
        raise Refusal(400, "invalid_before", "take `before` from the page after it, as it stands there") from error


def cursor_of(row: Row) -> str:
    """The text that leads to the entries before this row's."""
    place = [format_instant(row["at"]), row["place"], row["id"], row["within"]]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode()


def page_of(rows: Sequence[Row], limit: int) -> tuple[list[Entry], str | None]:
    """Of rows that come newest first `limit` entries in the order of time, and the cursor to more where there are."""
    shown = rows[:limit]
    return [entry_of(row) for row in reversed(shown)], cursor_of(shown[-1]) if len(rows) > limit else None


def entry_of(row: Row) -> Entry:
    entry: dict[str, Any] = orjson.loads(row["entry"])
    if entry["kind"] == "deal":
        entry |= {"deal": deal_address(entry), "amount": amount_text(entry["amount"], entry["currency"])}
    return _ENTRY.validate_python(entry | {"at": row["at"]})


def moments_of(rows: Sequence[Row]) -> list[Moment]:
    """What a score may count among rows that come newest first, in the order of time."""
    return [moment for row in reversed(rows) if (moment := _moment(row["at"], orjson.loads(row["entry"])))]


def _moment(at: datetime, entry: dict[str, Any]) -> Moment | None:
    match entry["kind"]:
        case "visit":
            return Moment("visit", at, entry["landing_page"])
        case "hit":
            return Moment(entry["type"], at, entry["url"], entry["name"])
        case "statement":
            return Moment(entry["type"], at, None, entry["name"])
        case "touch":
            return Moment("touch", at, None, entry["name"])
        case _:
            return None
