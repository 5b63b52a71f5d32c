"""The loop on Kafka while things break, each for seconds; `make chaos` does it for minutes.

Whatever breaks: nothing answered 2xx is missing, nothing is doubled, and it recovers by itself.
"""

import asyncio
from collections.abc import Iterator

import pytest

from services.local.postgres import EmbeddedPostgres
from tests.brokers import Brokers
from tests.chaos.demo import digest_of_demo
from tests.chaos.runs import RUNS
from tests.chaos.trial import House, Load, Run, play
from tests.conftest import running_brokers
from tests.e2e.conftest import SEED, SHOP


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("faults")
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    yield House(postgres, folder, SEED, print)
    postgres.stop()


@pytest.fixture(scope="module")
def broker(house: House) -> Iterator[Brokers]:
    """One broker for the tests of this file, which stop it."""
    with running_brokers(house.folder / "kafka", 1) as brokers:
        yield brokers


def test_the_demo_ends_with_one_digest_on_both_logs(house: House, kafka: Brokers) -> None:
    digests = {
        digest_of_demo(house.folder / f"demo-{number}", log, visitors=100, seed=SEED)
        for number, log in enumerate(("embedded", kafka.address))
    }
    assert len(digests) == 1


@pytest.mark.parametrize("run", [run for run in RUNS if run.brokers == 1], ids=lambda run: run.name)
def test_what_was_accepted_is_there_once_whatever_breaks(
    run: Run, house: House, broker: Brokers, expected: dict[str, str]
) -> None:
    assert broken_promises_of(run, house, broker, expected) == []


@pytest.mark.parametrize("run", [run for run in RUNS if run.brokers == 3], ids=lambda run: run.name)
def test_a_cluster_that_loses_a_broker_serves_on(
    run: Run, house: House, three_brokers: Brokers, expected: dict[str, str]
) -> None:
    assert broken_promises_of(run, house, three_brokers, expected) == []


def broken_promises_of(run: Run, house: House, brokers: Brokers, expected: dict[str, str]) -> list[str]:
    print(f"seed {SEED}, {house.folder / run.name}")
    load = Load(SHOP.requests(), expected, requests_a_second=20, calm_seconds=1)
    figures = asyncio.run(play(house, brokers, run, run.short, load))
    print(figures)
    return figures.broken
