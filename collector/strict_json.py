"""JSON that every consumer, Postgres and a JavaScript reader understand alike. Pure.

What is no JSON at all refuses the body; a value that cannot be kept (NaN, half a surrogate pair, U+0000, a number
beyond 2^53, a nesting beyond 16) is found event by event, so that its neighbours in a batch are accepted.
"""

import json
import math
from typing import Any, Final, NamedTuple

import orjson

from collector.refusal import Reason, RefusedError

DEPTH: Final = 16
"""How deep objects and arrays may be nested, the event itself being the first."""

UNSAFE: Final = 2**53
"""From here on JSON numbers are no longer exact in IEEE doubles, see RFC 8259, section 6."""


class Parsed(NamedTuple):
    """A JSON text, read."""

    value: Any
    text_is_sound: bool
    """Whether every string in it is known to be well formed and without U+0000."""


def parse(body: bytes) -> Parsed:
    """The value of a JSON text in UTF-8. Raises RefusedError for what is none.

    orjson is fast and strict, and refuses the whole text for one bad value. The standard library then reads what is
    JSON but for such values, which `check` finds and names.
    """
    try:
        return Parsed(orjson.loads(body), text_is_sound=b"\\u0000" not in body)
    except orjson.JSONDecodeError:
        pass
    try:
        return Parsed(json.loads(body.decode(), parse_int=_integer), text_is_sound=False)
    except UnicodeDecodeError as error:
        raise RefusedError(Reason.invalid_utf8, f"byte {error.start} of the body is not UTF-8") from error
    except RecursionError as error:
        raise RefusedError(Reason.too_deep) from error
    except ValueError as error:
        raise RefusedError(Reason.invalid_json, f"the body is no JSON: {error}") from error


def check(value: dict[str, Any], *, text_is_sound: bool) -> None:
    """Raise RefusedError when something in this object cannot be kept; the detail names the place."""
    try:
        _walk(value, DEPTH, text_is_sound=text_is_sound)
    except _UnsoundError as error:
        place = ".".join(reversed(error.path)).encode(errors="replace").decode()[:200]
        raise RefusedError(error.reason, f"{place}: {error.reason.hint}" if place else "") from None


class _UnsoundError(Exception):
    """A value that cannot be kept; the path to it is gathered on the way up, the last step first."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason
        self.path: list[str] = []


def _walk(holder: dict[str, Any] | list[Any], depth: int, *, text_is_sound: bool) -> None:
    """Every event passes here: nothing is built for sound values, and sound text is not looked at."""
    if depth == 0:
        raise _UnsoundError(Reason.too_deep)
    place: str | int = ""
    try:
        for place, item in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if not text_is_sound and isinstance(place, str):
                _check_text(place)
            if isinstance(item, str):
                if not text_is_sound:
                    _check_text(item)
            elif isinstance(item, dict | list):
                _walk(item, depth - 1, text_is_sound=text_is_sound)
            elif isinstance(item, int | float) and not -UNSAFE < item < UNSAFE:
                exact = isinstance(item, int) or math.isfinite(item)
                raise _UnsoundError(Reason.number_too_large if exact else Reason.not_finite)  # noqa: TRY301 - adds its place
    except _UnsoundError as error:
        error.path.append(str(place))
        raise


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
