"""A plain HTTP/1.1 client that keeps some connections busy and costs little beside what it measures."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import cast

import httptools

ACCEPTED = 202
PATIENCE_SECONDS = 20.0
"""So much longer than it should may a round last."""


class _Connection(asyncio.Protocol):
    """Sends one request after another until the deadline; `done` when the last one is answered."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self._requests = requests
        self._deadline = deadline
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no base class of asyncio's
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def on_message_complete(self) -> None:
        """For the parser: an answer is here, whole."""
        status = self._parser.get_status_code()
        if status != ACCEPTED:
            self.done.set_exception(RuntimeError(f"the server answered {status} instead of {ACCEPTED}"))
            self._transport.close()
            return
        self.answered += 1
        if time.perf_counter() < self._deadline:
            self._send()
        else:
            self.done.set_result(self.answered)
            self._transport.close()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(next(self._requests))


async def load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> int:
    """How many requests 127.0.0.1 accepted. Raises RuntimeError when it answers anything but 202, and
    TimeoutError when it does not answer."""
    loop = asyncio.get_running_loop()
    endless, deadline = itertools.cycle(requests), time.perf_counter() + seconds
    async with asyncio.timeout(seconds + PATIENCE_SECONDS):
        opened = [
            await loop.create_connection(lambda: _Connection(endless, deadline), "127.0.0.1", port)
            for _ in range(connections)
        ]
        return sum(await asyncio.gather(*(connection.done for _, connection in opened)))


def post(path: str, write_key: str, body: bytes) -> bytes:
    """A request as loop.js sends it."""
    head = [
        f"POST {path}?writeKey={write_key} HTTP/1.1",
        "Host: collect.shop.example",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9",
        "Origin: https://shop.example",
        "Referer: https://shop.example/",
        "Content-Type: text/plain;charset=UTF-8",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
