"""A history cut down to what still differs, and printed as code to paste into a test."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from schemas.instant import parse_instant
from tests.builders import JANUARY
from tests.law import SEED

History = Sequence[dict[str, Any]]


async def smallest(history: History, differs: Callable[[History], Awaitable[bool]]) -> History:
    """The events without which `differs` would no longer hold: in halves, quarters and so on, last one by one."""
    size = len(history)
    while size:
        size = max(size // 2, 1)
        place = 0
        while place < len(history):
            rest = [*history[:place], *history[place + size :]]
            if rest and await differs(rest):
                history = rest
            else:
                place += size
        size = 0 if size == 1 else size
    return history


def as_code(history: History) -> str:
    """The events in terms of `tests.builders`."""
    return "[\n" + "".join(f"    {_call(event)},\n" for event in history) + "]"


def told(history: History) -> str:
    """What to print of a history that differs: how to draw it again, and as code."""
    return f"SEED={SEED}\n{as_code(history)}"


def _call(event: dict[str, Any]) -> str:
    moment = parse_instant(event["occurred_at"])
    seconds = f":{moment:%S.%f}" if moment.second or moment.microsecond else ""
    when = f'at("{moment:%H:%M}{seconds}", day={(moment - JANUARY).days + 1})'
    stamped = {"event_id", "type", "occurred_at", "received_at", "person"}
    fields = {name: value for name, value in event.items() if name not in stamped} | event.get("person", {})
    given = "".join(f", {name}={value!r}" for name, value in fields.items())
    return f"make_event({event['type']!r}, {event['event_id']!r}, {when}{given})"
