"""One client of aiokafka, started when it is needed, and replaced when it no longer makes progress."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Generic, Literal, Protocol, TypeVar, get_args

from services.runtime.backoff import backoff
from services.runtime.kafka_cluster import REQUEST_SECONDS, STOP_SECONDS, refused_or_away
from services.runtime.metrics import KAFKA_REBUILDS

START_SECONDS = 3 * REQUEST_SECONDS
"""Several servers may be asked, each for as long as a request may take."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 1.0
"""After a start that failed nobody knocks again for so long; Kafka's return must be noticed soon."""

ENDING_SECONDS = 60.0
"""What a discarded client gets to end by itself: what is cut off in the middle leaves tasks and connections behind."""

logger = logging.getLogger(__name__)


class Startable(Protocol):
    """What a producer and a consumer have in common."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


Cause = Literal["stuck", "failed"]
"""It made no progress, or it said that it cannot go on."""

C = TypeVar("C", bound=Startable)


class Client(Generic[C]):
    """At most one client of its kind at a time. `name` is for the metrics and the log lines."""

    def __init__(self, name: str, make: Callable[[], C]) -> None:
        self._name = name
        self._make = make
        self._client: C | None = None
        self._starting = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._failed: ConnectionError | None = None
        self._start_again = 0.0
        self._failures = 0
        for cause in get_args(Cause):
            KAFKA_REBUILDS.labels(name, cause)  # told as 0 before the first, which is an increase then

    async def get(self) -> C:
        """The client, started. Raises ConnectionError when that cannot be done now, or could not a moment ago."""
        if self._client is None:
            async with self._starting:
                if self._client is None:
                    if self._failed is not None and time.monotonic() < self._start_again:
                        raise ConnectionError(*self._failed.args)
                    self._client = await self._start()
        return self._client

    def discard(self, client: C, cause: Cause) -> None:
        """Have no more to do with this client; the next `get` starts a new one."""
        if client is self._client:
            self._client = None
            KAFKA_REBUILDS.labels(self._name, cause).inc()
            logger.warning("Kafka client replaced", extra={"client": self._name, "cause": cause})
            ending = asyncio.create_task(_stop(client, ENDING_SECONDS))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Stop it, within seconds: what does not stop by itself is left to the end of the process."""
        client, self._client = self._client, None
        if client is not None:
            await _stop(client, STOP_SECONDS)
        if self._ending:
            await asyncio.wait(self._ending, timeout=STOP_SECONDS)

    async def _start(self) -> C:
        client = self._make()
        try:
            with refused_or_away():
                async with asyncio.timeout(START_SECONDS):
                    await client.start()
        except BaseException as error:
            if isinstance(error, ConnectionError):
                self._failed = error
                pause = backoff(FIRST_PAUSE_SECONDS, self._failures, LONGEST_PAUSE_SECONDS)
                self._failures += 1
                self._start_again = time.monotonic() + pause
            await _stop(client, STOP_SECONDS)
            raise
        self._failed, self._failures = None, 0
        return client


async def _stop(client: Startable, seconds: float) -> None:
    """The client's own `stop` waits for brokers that are away, without a deadline, and through a cancellation."""
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait({stopping}, timeout=seconds)
    if not stopping.done():
        stopping.cancel()
    elif not stopping.cancelled() and stopping.exception() is not None:
        logger.info("Kafka client did not stop in order", extra={"reason": type(stopping.exception()).__name__})
