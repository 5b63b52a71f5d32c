"""What can go wrong, as verbs on a stage. Each returns when all that it took away is there again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.chaos.fleet import MODULES
from tests.chaos.stage import Stage

CRASH = 0.0
"""The patience of a stop that lets nobody finish."""
BROKER_SECONDS = 20.0
"""From one broker's end to the next one's; by then the first is back, and has caught up."""
MEMBER_SECONDS = 2.0
"""From one consumer's leaving to the next one's."""
SETTLED_SECONDS = 1.0
"""So long a fault lasts before the services are asked to stop in it, and between two such questions."""


@asynccontextmanager
async def no_kafka(stage: Stage) -> AsyncIterator[None]:
    """All brokers are gone while the context lasts."""
    stage.tell("Kafka is stopped")
    await asyncio.to_thread(stage.brokers.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(stage.brokers.start)
        stage.back("Kafka")


@asynccontextmanager
async def no_postgres(stage: Stage) -> AsyncIterator[None]:
    """Postgres is gone while the context lasts, as after a crash."""
    stage.tell("Postgres is stopped")
    await asyncio.to_thread(stage.postgres.stop, CRASH)
    try:
        yield
    finally:
        await asyncio.to_thread(stage.postgres.start)
        stage.back("Postgres")


async def kafka_away(stage: Stage, seconds: float) -> None:
    async with no_kafka(stage):
        await asyncio.sleep(seconds)


async def postgres_away(stage: Stage, seconds: float) -> None:
    async with no_postgres(stage):
        await asyncio.sleep(seconds)


async def kafka_silent(stage: Stage, seconds: float) -> None:
    """The brokers keep their connections and take new ones, but say nothing."""
    stage.tell("Kafka falls silent")
    for node in stage.brokers.nodes:
        stage.brokers.pause(node)
    try:
        await asyncio.sleep(seconds)
    finally:
        for node in stage.brokers.nodes:
            stage.brokers.resume(node)
    stage.back("Kafka")


async def brokers_in_turn(stage: Stage, times: float) -> None:
    """One broker after the other is killed, and started at once."""
    began = time.monotonic()
    for number in range(int(times)):
        await asyncio.sleep(began + number * BROKER_SECONDS - time.monotonic())
        node = stage.brokers.nodes[number % len(stage.brokers.nodes)]
        stage.tell(f"broker {node} is killed, {number + 1} of {times:g}")
        await asyncio.to_thread(stage.brokers.kill, node)
        await asyncio.to_thread(stage.brokers.start, node)
    stage.back("The last broker")


async def kills(stage: Stage, times: float) -> None:
    """`kill -9` of each service so many times, in a random order and at random moments."""
    victims = stage.rng.sample([*MODULES] * int(times), len(MODULES) * int(times))
    for number, name in enumerate(victims, start=1):
        await asyncio.sleep(stage.rng.uniform(0, 2))
        stage.tell(f"kill -9 {name}, {number} of {len(victims)}")
        stage.fleet.kill(name)
    stage.back("The last one killed")


async def comings_and_goings(stage: Stage, seconds: float) -> None:
    """Three consumers of each group, one of which leaves every two seconds, and joins again."""
    names = [f"{service}{number}" for service in ("identity", "attributor") for number in ("", "-2", "-3")]
    for name in names[1:3] + names[4:]:
        stage.fleet.add(name)
    await stage.fleet.ready()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds / MEMBER_SECONDS)):
            name = stage.rng.choice([name for name in names if stage.fleet.has_begun(name)])
            stage.tell(f"{name} leaves, {number + 1} of {seconds / MEMBER_SECONDS:g}")
            tasks.create_task(stage.fleet.restart([name], "while others come and go"))
            await asyncio.sleep(MEMBER_SECONDS)
    stage.back("The last consumer")


async def terminations(stage: Stage, rounds: float) -> None:
    """SIGTERM to each service in turn under load; then to all of them while Kafka is away, and while Postgres is."""
    for number in range(int(rounds)):
        for name in MODULES:
            stage.tell(f"SIGTERM to {name}, round {number + 1} of {rounds:g}")
            await stage.fleet.restart([name], "under load")
        await stage.fleet.ready()
        for fault, what in ((no_kafka, "without Kafka"), (no_postgres, "without Postgres")):
            async with fault(stage):
                for when in (what, f"at the start, {what}"):
                    await stage.fleet.begun()
                    await asyncio.sleep(SETTLED_SECONDS)
                    stage.tell(f"SIGTERM to all, {when}")
                    await stage.fleet.restart(list(MODULES), when)
            await stage.fleet.ready()
    stage.back("The last service")
