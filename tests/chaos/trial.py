"""One run: a load, a fault in it, and what must hold afterwards.

What was answered 2xx is in the log; nothing is there that was not sent; and the present state is that of an undisturbed
run, byte for byte. The digest covers every hit, visit, lead, deal and credit, so an event that is missing, or has had
its effect twice, would show in it. A record may be in the log twice, for Kafka's client sends again by itself what it got
no word of; that is counted.
"""

import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from services.local.postgres import EmbeddedPostgres
from services.local.processes import python
from services.local.supervisor import environment_of
from services.runtime.migrate import migrate
from services.runtime.postgres import connect
from services.runtime.settings import Settings
from tests.brokers import Brokers
from tests.chaos.driver import SIZES, Driver
from tests.chaos.figures import BACK_SECONDS, Figures, answer_times, first_accepted, late_promises, share
from tests.chaos.fleet import Fleet
from tests.chaos.ledger import Attempt, Ledger, read_ledger
from tests.chaos.stage import Stage
from tests.conftest import dsn_of, make_settings
from tests.e2e.in_process import running_loop
from tests.ports import free_ports

DRAIN_PATIENCE_SECONDS = 180.0
SETTLE_PATIENCE_SECONDS = 120.0


class Run(NamedTuple):
    """A fault, for how long or how often in the full form and in the short one, and what the visitors may see of it."""

    name: str
    what: str
    fault: Callable[[Stage, float], Awaitable[None]]
    full: float
    short: float
    brokers: int = 1
    most_refused: float = 1.0
    """The share of requests that may be answered 5xx."""
    back_seconds: float = BACK_SECONDS
    """From the return of what was away to the first 2xx, at most."""


class Load(NamedTuple):
    """The events, the digest (by part) that they must give, and how they come."""

    events: Sequence[Mapping[str, Any]]
    expected: Mapping[str, str]
    requests_a_second: float
    calm_seconds: float
    """Before the fault and after it."""


class House(NamedTuple):
    """What all runs share; each has a database of its own in it."""

    postgres: EmbeddedPostgres
    folder: Path
    """For ledgers and the services' output."""
    seed: int
    tell: Callable[[str], None]
    """Takes a line of progress."""


async def undisturbed(house: House, events: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The digest, by part, of the events sent once, in their order, without any fault."""
    dsn = await _new_database(house, "undisturbed")
    await migrate(dsn, house.tell)
    async with running_loop(make_settings(dsn, house.folder)) as loop:
        await loop.post([events[start : start + 100] for start in range(0, len(events), 100)])
        await loop.settle()
        return await loop.digest_parts()


async def play(house: House, brokers: Brokers, run: Run, amount: float, load: Load) -> Figures:
    """Play the run on an installation of its own: a new database, new topics, new processes.

    Raises TimeoutError, in a group perhaps, when that does not recover at all.
    """
    folder = house.folder / run.name
    folder.mkdir()
    settings = await _settings_of(house, brokers, run.name, folder)
    rng = random.Random(f"{run.name} {house.seed}")
    async with Fleet(settings, folder) as fleet:
        stage = Stage(fleet, house.postgres, brokers, rng, house.tell)
        token = settings.admin_token.get_secret_value()
        with Ledger(folder / "ledger.jsonl") as ledger:
            driver = Driver(settings.port, token, load.events, rng, ledger)
            drained = await _disturbed_load(run, amount, load, stage, driver)
        house.tell("all events are accepted; waiting until they have had their effects")
        status = await stage.wait_until(lambda status: status["settled"], "settled", SETTLE_PATIENCE_SECONDS)
        attempts = read_ledger(folder / "ledger.jsonl")
        logged, digest = await stage.logged(), await stage.digest_parts()
    figures = measure(run.name, attempts, logged, stage, drained)
    figures.broken = [
        *broken_promises(attempts, logged),
        *([f"{status['dead_letters']} dead letters"] if status["dead_letters"] else []),
        *[f"the digest of {part} is another" for part in load.expected if digest[part] != load.expected[part]],
        *late_promises(figures, run.most_refused, run.back_seconds),
    ]
    return figures


async def _settings_of(house: House, brokers: Brokers, name: str, folder: Path) -> Settings:
    """A new database and new topics, migrated. Raises RuntimeError with what `closedloop migrate` said."""
    settings = make_settings(
        await _new_database(house, name),
        folder,
        broker=brokers.address,
        kafka_prefix=f"{name}-",
        port=free_ports(1),
        reports_port=free_ports(1),
    )
    command, environment = python("services.cli", "migrate"), environment_of(settings)
    migration = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    if migration.returncode != 0:
        raise RuntimeError(migration.stderr)
    return settings


async def _new_database(house: House, name: str) -> str:
    async with connect(house.postgres.dsn, application="chaos", size=1) as server:
        await server.execute(f'CREATE DATABASE "{name}"')
    return dsn_of(house.postgres.dsn, name)


async def _disturbed_load(run: Run, amount: float, load: Load, stage: Stage, driver: Driver) -> float:
    """Seconds from the return of what was away until the lag was less than a second's load."""
    events_a_second = load.requests_a_second * sum(SIZES) / len(SIZES)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(driver.run(load.requests_a_second))
        await asyncio.sleep(load.calm_seconds)
        await run.fault(stage, amount)
        assert stage.back_at is not None, "the fault says when it is over"
        await stage.wait_until(
            lambda status: max(status["lag"].values()) < events_a_second, "drained", DRAIN_PATIENCE_SECONDS
        )
        drained = time.monotonic() - stage.back_at
        stage.tell(f"lag drained after {drained:.1f} s")
        await asyncio.sleep(load.calm_seconds)
        driver.ending.set()
    return drained


def broken_promises(attempts: Sequence[Attempt], logged: Mapping[str, int]) -> list[str]:
    """What the log must not show: fewer records of an event than it was accepted times, or an event that nobody sent."""
    accepted = Counter(event_id for attempt in attempts if attempt.accepted for event_id in attempt.ids)
    sent = {event_id for attempt in attempts for event_id in attempt.ids}
    missing = [event_id for event_id, times in accepted.items() if logged.get(event_id, 0) < times]
    unknown = sorted(logged.keys() - sent)
    return [
        *([f"{len(missing)} accepted events are not in the log, such as {missing[0]}"] if missing else []),
        *([f"{len(unknown)} events in the log were never sent, such as {unknown[0]}"] if unknown else []),
    ]


def repeated(attempts: Sequence[Attempt], logged: Mapping[str, int]) -> int:
    """How many records are in the log beyond those that were sent: the log's client sent them twice."""
    sent = Counter(event_id for attempt in attempts for event_id in attempt.ids)
    return (Counter(logged) - sent).total()


def measure(run: str, attempts: Sequence[Attempt], logged: Mapping[str, int], stage: Stage, drained: float) -> Figures:
    """The figures of a run whose promises are still to be looked at."""
    assert stage.back_at is not None, "the fault says when it is over"
    median, p99 = answer_times(attempts)
    return Figures(
        run=run,
        events=len({event_id for attempt in attempts for event_id in attempt.ids}),
        requests=len(attempts),
        refused=share(attempts, lambda attempt: attempt.refused),
        unanswered=share(attempts, lambda attempt: attempt.status is None),
        median=median,
        p99=p99,
        first_accepted=first_accepted(attempts, stage.back_at),
        drained=drained,
        repeated=repeated(attempts, logged),
        exits=stage.fleet.exits,
        fallen=stage.fleet.fallen,
    )
