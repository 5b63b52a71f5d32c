"""The log: ordered, durable, kept for ever. A port of three verbs; which adapter serves it is a setting."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol
from uuid import UUID

from services.runtime.settings import Settings


class Record(NamedTuple):
    """One record of a partition. Offsets count from 0 without a gap."""

    offset: int
    key: bytes
    value: bytes


class Unavailable(Exception):
    """The log did not make the records durable in time. Whether it stored them is unknown; the message says why."""


class Log(Protocol):
    """Records that share a key share a partition, and are read in the order in which they were appended."""

    log_id: UUID
    """Names this log; a position is only good for the log it was taken in."""

    async def append(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Returns when all (key, value) are durable. Raises Unavailable at a deadline: then that is unknown.

        Each is stored at most once. Records of one call and one partition stay together, in their order.
        """

    async def read(self, topic: str, partition: int, offset: int, max_bytes: int, wait: float) -> list[Record]:
        """The next records from `offset` on: about `max_bytes` of them, but at least one.

        Without any it waits for up to `wait` seconds, then returns an empty list. Raises OSError or a database's error
        when the log cannot be reached.
        """

    async def ends(self, topic: str) -> list[int]:
        """The next offset of each partition: that of the record which will be appended next."""

    async def close(self) -> None:
        """Ends everything under way; appends that wait raise Unavailable."""


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[Log]:
    """The log that the settings name. Waits while it cannot be reached, and says so in the log lines."""
    from services.runtime.embedded_log import open_embedded_log  # noqa: PLC0415 - adapters import this module

    async with open_embedded_log(settings.database_url.get_secret_value()) as log:
        yield log
