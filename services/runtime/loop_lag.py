"""How late the event loop comes round: the first sign of work that is too long for it, or of a machine too small."""

import asyncio

from services.runtime.metrics import LOOP_LAG_SECONDS

PAUSE_SECONDS = 0.25


async def measure_loop_lag() -> None:
    """Measure for ever, four times a second; to be cancelled. A heartbeat or a lease is late by as much."""
    now = asyncio.get_running_loop().time
    while True:
        due = now() + PAUSE_SECONDS
        await asyncio.sleep(PAUSE_SECONDS)
        LOOP_LAG_SECONDS.observe(max(0.0, now() - due))
