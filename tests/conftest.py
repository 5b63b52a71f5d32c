"""What all tests share: one real Postgres and one real Kafka for the session, and in them a place for each test alone."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from services.local.postgres import EmbeddedPostgres
from services.runtime.migrate import migrate
from services.runtime.postgres import Database, connect
from services.runtime.settings import Settings
from tests.brokers import Brokers, require_kafka
from tests.secured_brokers import SecuredBroker

TEMPLATE = "migrated_template"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """The embedded Postgres, as users run it. Tests that stop it start one of their own."""
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    postgres.start()
    yield postgres
    postgres.stop()


@pytest.fixture(scope="session")
def postgres_dsn(postgres: EmbeddedPostgres) -> str:
    """The address of the session's Postgres: its maintenance database, not migrated."""
    return postgres.dsn


@pytest.fixture(scope="session")
def migrated_template(postgres_dsn: str) -> str:
    """The name of a migrated database to copy from; nobody may be connected to it."""
    run_sql(postgres_dsn, f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(migrate(dsn_of(postgres_dsn, TEMPLATE), print))
    return TEMPLATE


@pytest.fixture
def dsn(postgres_dsn: str, migrated_template: str) -> Iterator[str]:
    """The address of a fresh migrated database."""
    with fresh_database(postgres_dsn, f"TEMPLATE {migrated_template}") as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(postgres_dsn: str) -> Iterator[str]:
    """The address of a fresh database without tables."""
    with fresh_database(postgres_dsn, "") as dsn:
        yield dsn


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A migrated Postgres for one test alone, to stop (`stop(0)` is a crash) and to start again."""
    postgres = EmbeddedPostgres(tmp_path)
    postgres.start()
    asyncio.run(migrate(postgres.dsn, print))
    yield postgres
    postgres.stop()


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A pool on a fresh migrated database."""
    async with connect(dsn, application="test") as database:
        yield database


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One broker for all; each test has topics of its own by `kafka_prefix`. Tests that stop it take `own_kafka`."""
    with running_brokers(tmp_path_factory.mktemp("kafka"), 1) as brokers:
        yield brokers


@pytest.fixture
def kafka_prefix() -> str:
    """A prefix of topics and groups for one test alone."""
    return f"test-{next(_numbers)}-"


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Brokers]:
    """One broker for one test alone, to stop, kill, pause and start again."""
    with running_brokers(tmp_path / "kafka", 1) as brokers:
        yield brokers


@pytest.fixture(scope="module")
def shared_three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with running_brokers(tmp_path_factory.mktemp("kafka"), 3) as brokers:
        yield brokers


@pytest.fixture
def three_brokers(shared_three_brokers: Brokers) -> Brokers:
    """A cluster of three, all of them running; tests may end and pause them, and leave them so."""
    shared_three_brokers.start()
    return shared_three_brokers


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """One broker with TLS and SASL."""
    require_kafka()
    secured = SecuredBroker(tmp_path_factory.mktemp("secured"))
    try:
        secured.start()
        yield secured
    finally:
        secured.brokers.kill()


@pytest.fixture
def settings_for() -> Callable[..., Settings]:
    """Makes complete settings: `settings_for(dsn, tmp_path, **changes)`."""
    return make_settings


def make_settings(dsn: str, tmp_path: Path, **changes: Any) -> Settings:
    settings = {
        "database_url": dsn,
        "data_dir": tmp_path,
        "write_key": "test-write-key",
        "admin_token": "test-admin-token-0123456789",
        "id_key": "test-id-key-0123456789",
        "webhook_secret": "whsec_dGVzdC13ZWJob29rLXNlY3JldC0wMTIz",
    }
    return Settings.model_validate(settings | changes)


@contextmanager
def running_brokers(folder: Path, count: int) -> Iterator[Brokers]:
    require_kafka()
    brokers = Brokers(folder, count)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.kill()


@contextmanager
def fresh_database(server: str, options: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    run_sql(server, f"CREATE DATABASE {name} {options}")
    yield dsn_of(server, name)
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def dsn_of(dsn: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def run_sql(dsn: str, statement: str) -> None:
    async def run() -> None:
        async with connect(dsn, application="test", size=1) as database:
            await database.execute(statement)

    asyncio.run(run())
