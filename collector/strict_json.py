"""JSON that every consumer, Postgres and a JavaScript reader understand alike. Pure.

What is no JSON at all refuses the body; a value that cannot be kept (NaN, half a surrogate pair, U+0000, a number
beyond 2^53, a nesting beyond 16) is found event by event, so that its neighbours in a batch are accepted.
"""

import json
import math
from typing import Any, Final

import orjson

from collector.refusal import Reason, RefusedError

DEPTH: Final = 16
"""How deep objects and arrays may be nested, the event itself being the first."""

UNSAFE: Final = 2**53
"""From here on JSON numbers are no longer exact in IEEE doubles, see RFC 8259, section 6."""


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises RefusedError for what is none.

    orjson is fast and strict, and refuses the whole text for one bad value. The standard library then reads what is
    JSON but for such values, which `check` finds and names.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode(), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise RefusedError(Reason.invalid_utf8, f"byte {error.start} of the body is not UTF-8") from error
    except RecursionError as error:
        raise RefusedError(Reason.too_deep) from error
    except ValueError as error:
        raise RefusedError(Reason.invalid_json, f"the body is no JSON: {error}") from error


def check(value: Any) -> None:
    """Raise RefusedError when something in this value cannot be kept; the detail names the place."""
    try:
        _walk(value, DEPTH)
    except _UnsoundError as error:
        place = ".".join(reversed(error.path)).encode(errors="replace").decode()[:200]
        raise RefusedError(error.reason, f"{place}: {error.reason.hint}" if place else "") from None


class _UnsoundError(Exception):
    """A value that cannot be kept; the path to it is gathered on the way up, the last step first."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.path: list[str] = []


def _walk(value: Any, depth: int) -> None:
    """Every event passes here, so the likely kinds stand first and nothing is built for sound values."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise _UnsoundError(Reason.too_deep)
        place: str | int = ""
        try:
            for place, item in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(place, str):
                    _check_text(place)
                _walk(item, depth - 1)
        except _UnsoundError as error:
            error.path.append(str(place))
            raise
    elif isinstance(value, int | float) and not -UNSAFE < value < UNSAFE:
        exact = isinstance(value, int) or math.isfinite(value)
        raise _UnsoundError(Reason.number_too_large if exact else Reason.not_finite)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _UnsoundError(Reason.nul_character)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _UnsoundError(Reason.lone_surrogate) from None


def _integer(digits: str) -> int:
    """An integer; one of more digits than Python is willing to read is as far beyond 2^53 as any."""
    return int(digits) if len(digits) < 20 else UNSAFE
