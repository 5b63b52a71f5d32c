"""Reading a request's body without trusting it: capped, unpacked within the same cap, and within a deadline.

uvicorn has no timeout for a body that stops half-way and no limit for its length, so both are here.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from collector.refusal import Reason, RefusedError

BODY_BYTES: Final = 500 * 1024
"""The longest body, as it travels and unpacked."""

DEADLINE_SECONDS: Final = 10.0
"""Within this time the whole body must have arrived."""

DISCARDED_BYTES: Final = 16 * 1024 * 1024
"""How much of a body that is too large is read and thrown away before it is answered.

A connection that is closed while its sender still writes loses the answer on the way.
"""

REQUEST_BYTES: Final = 16 * 1024
"""What a request weighs beside its body: its task, headers and parsed events."""

Receive = Callable[[], Awaitable[Any]]


class GoneError(Exception):
    """The sender hung up; there is nobody to answer."""


class Budget:
    """How many bytes of requests may be under way at once, so that a flood meets 503 and not the end of the memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = limit

    @property
    def taken(self) -> int:
        """Bytes under way now."""
        return self._limit - self._free

    def take(self, count: int) -> None:
        """Raises RefusedError(overloaded) when there is no room for `count` more bytes."""
        if count > self._free:
            raise RefusedError(Reason.overloaded)
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count


class Share:
    """What one request holds of the budget, from its beginning to its end; to be entered once."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = 0

    def __enter__(self) -> Self:
        self.take(REQUEST_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._taken)

    def take(self, count: int) -> None:
        """Raises RefusedError(overloaded) when the budget has no room for `count` more bytes."""
        self._budget.take(count)
        self._taken += count


async def read_body(headers: dict[bytes, bytes], receive: Receive, share: Share) -> bytes:
    """The body as it was sent, still packed if it came packed.

    Raises RefusedError (body_too_large, body_timeout, overloaded) and GoneError.
    """
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            if _declared_length(headers) > BODY_BYTES:
                await _discard(receive)
                raise RefusedError(Reason.body_too_large)
            return await _read(receive, share)
    except TimeoutError as error:
        raise RefusedError(Reason.body_timeout) from error


async def _read(receive: Receive, share: Share) -> bytes:
    chunks: list[bytes] = []
    length = 0
    while True:
        chunk, more = await _next(receive)
        length += len(chunk)
        if length > BODY_BYTES:
            if more:
                await _discard(receive)
            raise RefusedError(Reason.body_too_large)
        share.take(len(chunk))
        chunks.append(chunk)
        if not more:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _discard(receive: Receive) -> None:
    length = 0
    more = True
    while more and length < DISCARDED_BYTES:
        chunk, more = await _next(receive)
        length += len(chunk)


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


def _declared_length(headers: dict[bytes, bytes]) -> int:
    """What Content-Length promises; the HTTP server has checked that it is a number."""
    return int(headers.get(b"content-length", b"0"))


def unpack(body: bytes, headers: dict[bytes, bytes], share: Share) -> bytes:
    """The body without its Content-Encoding.

    A gzip bomb is given up after the cap's bytes. Raises RefusedError (encoding_unsupported, invalid_gzip,
    body_too_large, overloaded).
    """
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding in {b"", b"identity"}:
        return body
    if encoding not in {b"gzip", b"x-gzip"}:
        raise RefusedError(Reason.encoding_unsupported)
    share.take(BODY_BYTES)
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # 16: a gzip header and checksum, nothing else
    try:
        unpacked = stream.decompress(body, BODY_BYTES + 1)
    except zlib.error as error:
        raise RefusedError(Reason.invalid_gzip) from error
    if len(unpacked) > BODY_BYTES:
        raise RefusedError(Reason.body_too_large)
    if not stream.eof or stream.unused_data:
        raise RefusedError(Reason.invalid_gzip)
    return unpacked
