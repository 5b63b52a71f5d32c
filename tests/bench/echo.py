"""The least that a Python server can do for a POST: read the body, answer 202. What the collector is held against."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

BODY = b'{"accepted":1,"rejected":[]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def app(_scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """An ASGI application."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
