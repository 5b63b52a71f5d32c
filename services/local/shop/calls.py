"""The events of a shop as the calls that carry them to the collector, some of them repeated as in life."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.local.shop.history import Payload, Sender, Shop

BATCH = {Sender.SITE: 100, Sender.WEBHOOK: 1, Sender.IMPORT: 20}
"""Events that a sender puts into one call; a webhook carries one."""

_REPEATED_EVERY, _REPEATED_AFTER = 25, 10


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the collector."""

    sender: Sender
    payloads: tuple[Payload, ...]


def calls_of(shop: Shop) -> list[Call]:
    """All calls in the order of delivery. One in 25 comes again ten calls later, whose sender had missed the answer."""
    once = list(_batches(shop))
    sent: list[Call] = []
    for number, call in enumerate(once):
        sent.append(call)
        earlier = number - _REPEATED_AFTER
        if earlier >= 0 and earlier % _REPEATED_EVERY == 0:
            sent.append(once[earlier])
    return sent


def _batches(shop: Shop) -> Iterator[Call]:
    waiting: dict[Sender, list[Payload]] = {sender: [] for sender in Sender}
    for delivery in shop.deliveries:
        batch = waiting[delivery.sender]
        batch.append(delivery.payload)
        if len(batch) == BATCH[delivery.sender]:
            yield Call(delivery.sender, tuple(batch))
            batch.clear()
    for sender, batch in waiting.items():
        if batch:
            yield Call(sender, tuple(batch))
