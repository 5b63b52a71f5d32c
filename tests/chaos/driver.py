"""The sender outside of the system: a known shop's events at a steady rate, whatever the collector answers.

The loop is open, as visitors are: the next request does not wait for the answer of the one before. What is not answered
2xx is sent again, with the same event ids, until it is.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import httpx

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
        self, address: str, token: str, events: Sequence[Mapping[str, Any]], rng: random.Random, ledger: Ledger
    ) -> None:
        self._address = address
        self._token = token
        self._events = list(events)
        self._rng = rng
        self._ledger = ledger
        self._queue: list[Mapping[str, Any]] = []
        self._passes = 0
        self.ending = asyncio.Event()

    async def run(self, requests_a_second: float) -> None:
        """Raises RefusedError, in a group, when a request is refused for good."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        headers = {"Authorization": f"Bearer {self._token}"}
        client = httpx.AsyncClient(limits=limits, headers=headers, timeout=PATIENCE_SECONDS)
        began = time.monotonic()
        async with client, asyncio.TaskGroup() as tasks:
            for number in count():
                await asyncio.sleep(began + number / requests_a_second - time.monotonic())
                batch = self._next_batch()
                if not batch:
                    return
                tasks.create_task(self._deliver(client, batch))

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

    async def _deliver(self, client: httpx.AsyncClient, batch: Sequence[Mapping[str, Any]]) -> None:
        for failures in count():
            attempt = await self._attempt(client, batch)
            self._ledger.write(attempt)
            if attempt.accepted:
                return
            longest = min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(self._rng.uniform(longest / 2, longest))

    async def _attempt(self, client: httpx.AsyncClient, batch: Sequence[Mapping[str, Any]]) -> Attempt:
        status, sent_at = None, time.monotonic()
        try:
            answer = await client.post(f"{self._address}/v1/events", json=batch)
        except httpx.TransportError:
            pass
        else:
            status = answer.status_code
            if status < 500 and answer.json() != {"accepted": len(batch), "rejected": []}:
                raise RefusedError(f"{status} {answer.text}")
        return Attempt([event["event_id"] for event in batch], sent_at, time.monotonic() - sent_at, status)
