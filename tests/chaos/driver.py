"""The sender outside of the system: a known shop's events at a steady rate, whatever the collector answers.

The loop is open, as visitors are: the next request does not wait for the answer of the one before. What is not answered
2xx is sent again, with the same event ids, until it is. Each request has a connection of its own and costs next to
nothing here, so that a thousand that wait for an answer do not slow down what is measured.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from tests.chaos.ledger import Attempt, Ledger

SIZES = (1, 2, 5, 20)
REST_SIZE = 100
"""Events of a request, once the load may end and only what was never sent is left."""
PATIENCE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 8.0


class RefusedError(Exception):
    """The collector answered 4xx to a good request, or took a part of it."""


class Driver:
    """One load. `ending` tells it that it may end: it sends the rest of the shop, and returns when all is accepted.

    A shop that is sent before that is sent again, in another order.
    """

    def __init__(
        self, port: int, token: str, events: Sequence[Mapping[str, Any]], rng: random.Random, ledger: Ledger
    ) -> None:
        self._port = port
        self._token = token
        self._events = list(events)
        self._rng = rng
        self._ledger = ledger
        self._queue: list[Mapping[str, Any]] = []
        self._passes = 0
        self.ending = asyncio.Event()

    async def run(self, requests_a_second: float) -> None:
        """Raises RefusedError, in a group, when a request is refused for good."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in count():
                await asyncio.sleep(began + number / requests_a_second - time.monotonic())
                batch = self._next_batch()
                if not batch:
                    return
                tasks.create_task(self._deliver(batch))

    def _next_batch(self) -> list[Mapping[str, Any]]:
        """Empty when the load may end, and every event was sent."""
        ending = self.ending.is_set()
        if not self._queue and not (ending and self._passes):
            self._passes += 1
            self._queue = self._rng.sample(self._events, len(self._events))
        if ending and self._passes > 1:
            return []
        size = REST_SIZE if ending else self._rng.choice(SIZES)
        batch, self._queue = self._queue[:size], self._queue[size:]
        return batch

    async def _deliver(self, batch: Sequence[Mapping[str, Any]]) -> None:
        for failures in count():
            attempt = await self._attempt(batch)
            self._ledger.write(attempt)
            if attempt.accepted:
                return
            longest = min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(self._rng.uniform(longest / 2, longest))

    async def _attempt(self, batch: Sequence[Mapping[str, Any]]) -> Attempt:
        status, sent_at = None, time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                status, content = await self._post(orjson.dumps(batch))
        except (OSError, EOFError):  # TimeoutError is an OSError
            pass
        else:
            if status < 500 and orjson.loads(content) != {"accepted": len(batch), "rejected": []}:
                raise RefusedError(f"{status} {content!r}")
        return Attempt([event["event_id"] for event in batch], sent_at, time.monotonic() - sent_at, status)

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or EOFError when there is none, or not all of it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(self._head(len(body)) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length.partition(b":")[2]))
        finally:
            writer.close()

    def _head(self, length: int) -> bytes:
        lines = (
            "POST /v1/events HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self._token}",
            "Connection: close",
            f"Content-Length: {length}",
        )
        return "\r\n".join([*lines, "", ""]).encode()
