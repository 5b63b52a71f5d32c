"""What the collector makes of a body, in few words, without a socket or a log."""

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from collector.intake import Taken, open_body, take
from collector.keys import Sender
from collector.stamp import Request, visitor_for
from schemas.codec import decode

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ID_KEY = b"a key for tests"


def make_request(**changes: Any) -> Request:
    """A request with the write key, at noon on 1 March 2026."""
    numbers = count(1)
    plain: dict[str, Any] = {
        "sender": Sender.site,
        "received_at": RECEIVED,
        "zone": ZoneInfo("UTC"),
        "random_id": lambda: f"random-{next(numbers)}",
    }
    return Request(**{**plain, **changes})


def send(body: Any, *, tracker: bool = False, **changes: Any) -> Taken:
    """The outcome of a body (bytes, or a value to be sent as JSON); `changes` are those of the request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = (lambda event_id: visitor_for(event_id, ID_KEY)) if tracker else None
    return take(open_body(content), make_request(**changes), made)


def logged(taken: Taken) -> list[dict[str, Any]]:
    """The events that will be logged, topic by topic, each read back by the codec."""
    return [decode(value)[1] for records in taken.records.values() for _, value in records]


def accept(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The one event as it will be logged; fails with the reason when it was refused."""
    taken = send(item, **changes)
    assert not taken.rejected, taken.rejected
    [event] = logged(taken)
    return event


def refuse(item: Any, **changes: Any) -> str:
    """The code of the reason why the one event was refused."""
    taken = send([item], **changes)
    assert taken.accepted == 0, logged(taken)
    [rejection] = taken.rejected
    return rejection.reason.name
