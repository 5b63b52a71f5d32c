import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from collector import body as body_module
from collector.body import BODY_BYTES, DISCARDED_BYTES, REQUEST_BYTES, Budget, GoneError, Share, read_body, unpack
from collector.refusal import RefusedError

compress = partial(gzip.compress, mtime=0)  # the time of day would be in the names of tests

PLENTY = 100 * BODY_BYTES


def receiving(*chunks: bytes, hung_up: bool = False) -> Callable[[], Awaitable[dict[str, Any]]]:
    """An ASGI receive that brings these chunks, and then the end or the sender's hanging up."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if hung_up:
        messages.append({"type": "http.disconnect"})
    elif messages:
        messages[-1]["more_body"] = False
    else:
        messages.append({"type": "http.request"})
    arriving = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(arriving)

    return receive


async def read(*chunks: bytes, length: int | None = None, limit: int = PLENTY, hung_up: bool = False) -> bytes | str:
    """The body, or the code of the refusal."""
    headers = {} if length is None else {b"content-length": b"%d" % length}
    try:
        with Share(Budget(limit)) as share:
            return await read_body(headers, receiving(*chunks, hung_up=hung_up), share)
    except RefusedError as refused:
        return refused.reason.name


def unpacked(body: bytes, encoding: bytes | None, limit: int = PLENTY) -> bytes | str:
    headers = {} if encoding is None else {b"content-encoding": encoding}
    try:
        with Share(Budget(limit)) as share:
            return unpack(body, headers, share)
    except RefusedError as refused:
        return refused.reason.name


async def test_a_body_is_read_whole_in_however_many_pieces():
    assert await read() == b""
    assert await read(b"{}") == b"{}"
    assert await read(b"{", b"", b"}") == b"{}"
    assert await read(b"a" * BODY_BYTES) == b"a" * BODY_BYTES


async def test_a_body_beyond_the_cap_is_refused_whatever_its_length_claims():
    half = b"a" * (BODY_BYTES // 2 + 1)
    assert await read(half, half) == "body_too_large"
    assert await read(half, half, length=2) == "body_too_large"
    assert await read(b"{}", length=BODY_BYTES + 1) == "body_too_large"
    assert await read(half, half, half, half) == "body_too_large"


async def test_a_body_without_an_end_is_given_up():
    pieces = 0

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": b"a" * 65536, "more_body": True}

    with Share(Budget(PLENTY)) as share, pytest.raises(RefusedError) as caught:
        await read_body({}, receive, share)
    assert caught.value.reason.name == "body_too_large"
    assert pieces * 65536 <= DISCARDED_BYTES + 2 * BODY_BYTES


async def test_a_body_that_stops_half_way_is_given_up_at_the_deadline(monkeypatch):
    monkeypatch.setattr(body_module, "DEADLINE_SECONDS", 0.01)
    with Share(Budget(PLENTY)) as share, pytest.raises(RefusedError) as caught:
        await read_body({}, asyncio.Event().wait, share)
    assert caught.value.reason.name == "body_timeout"


async def test_a_sender_that_hangs_up_is_not_answered():
    with pytest.raises(GoneError):
        await read(b"{", hung_up=True)


async def test_more_than_the_budget_is_refused_and_what_was_held_is_given_back():
    budget = Budget(REQUEST_BYTES + 10)
    with Share(budget) as share:
        assert await read_body({}, receiving(b"0123456789"), share) == b"0123456789"
        with pytest.raises(RefusedError), Share(budget):
            pass
        with pytest.raises(RefusedError):
            share.take(1)
    with Share(budget) as share:
        share.take(10)


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [
        (b"{}", None, b"{}"),
        (b"{}", b"identity", b"{}"),
        (compress(b"{}"), b"gzip", b"{}"),
        (compress(b"{}"), b" GZIP ", b"{}"),
        (compress(b"{}"), b"x-gzip", b"{}"),
        (compress(b"a" * BODY_BYTES), b"gzip", b"a" * BODY_BYTES),
        (compress(b"a" * (BODY_BYTES + 1)), b"gzip", "body_too_large"),
        (compress(b"a" * 20_000_000, 1), b"gzip", "body_too_large"),
        (compress(b"{}")[:-1], b"gzip", "invalid_gzip"),
        (compress(b"{}")[:-8] + b"01234567", b"gzip", "invalid_gzip"),
        (compress(b"{}") + b"more", b"gzip", "invalid_gzip"),
        (compress(b"{}") * 2, b"gzip", "invalid_gzip"),
        (b"{}", b"gzip", "invalid_gzip"),
        (b"", b"gzip", "invalid_gzip"),
        (zlib.compress(b"{}"), b"gzip", "invalid_gzip"),
        (zlib.compress(b"{}"), b"deflate", "encoding_unsupported"),
        (b"{}", b"br", "encoding_unsupported"),
        (b"{}", b"zstd", "encoding_unsupported"),
        (b"{}", b"gzip, gzip", "encoding_unsupported"),
    ],
    ids=range(19),
)
def test_a_packed_body_is_unpacked_within_the_cap(body, encoding, expected):
    assert unpacked(body, encoding) == expected


def test_unpacking_counts_against_the_budget():
    assert unpacked(compress(b"{}"), b"gzip", REQUEST_BYTES + 100) == "overloaded"
