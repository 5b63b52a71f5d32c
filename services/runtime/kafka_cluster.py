"""The Kafka cluster: how to reach it, what it is called, and what its errors ask for."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.helpers import create_ssl_context

from services.runtime.backoff import backoff
from services.runtime.logs import describe
from services.runtime.settings import Settings, SettingsError, StartError

REQUEST_SECONDS = 5.0
STOP_SECONDS = 2.0
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0

_LOGS = UUID("0f5b3c1e-6f2c-4f0e-9d1a-3c2b7f0a9d11")
"""The namespace of log ids: a log is a cluster and a prefix of topics in it."""

REFUSALS = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
    errors.ClusterAuthorizationFailedError,
    errors.TopicAuthorizationFailedError,
    ssl.SSLCertVerificationError,
)
"""Waiting does not help: a setting is wrong, or a right is missing."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Cluster(NamedTuple):
    """What a cluster said of itself: the id of our log in it, how many brokers live, and about all its topics."""

    log_id: UUID
    brokers: int
    partitions: dict[str, int]
    replicas: dict[str, int]
    """By topic, of the partition that has the fewest."""


def client_options(settings: Settings) -> dict[str, Any]:
    """What every client of aiokafka is made with. Raises SettingsError when a file of certificates cannot be read."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.kafka_servers),
        "client_id": "closedloop",
        "request_timeout_ms": int(REQUEST_SECONDS * 1000),
        "security_protocol": ("SASL_" if settings.kafka_sasl else "") + ("SSL" if settings.kafka_tls else "PLAINTEXT"),
    }
    if settings.kafka_sasl:
        options |= {
            "sasl_mechanism": settings.kafka_sasl,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    if settings.kafka_tls:
        try:
            options["ssl_context"] = create_ssl_context(
                cafile=settings.kafka_ca_file or None,
                certfile=settings.kafka_cert_file or None,
                keyfile=settings.kafka_key_file or None,
            )
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"CLOSEDLOOP_KAFKA_CA_FILE, _CERT_FILE or _KEY_FILE cannot be used: {describe(error)}"
            ) from error
    return options


async def find_cluster(settings: Settings) -> Cluster:
    """The cluster, as soon as it answers; meanwhile the log lines say that it does not.

    Raises SettingsError when it refuses us.
    """
    return await patiently(lambda: _look(settings))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What Kafka answers, as soon as it does; meanwhile the log lines say that it does not.

    Raises SettingsError when it refuses us.
    """
    failures = 0
    while True:
        try:
            return await ask()
        except REFUSALS as error:
            raise SettingsError(f"CLOSEDLOOP_BROKER refuses us: {describe(error)}; see CLOSEDLOOP_KAFKA_*") from error
        except (OSError, errors.KafkaError) as error:
            wait = backoff(FIRST_WAIT_SECONDS, failures, LONGEST_WAIT_SECONDS)
            logger.warning("Kafka does not answer: %s; trying again in %.1f s", describe(error), wait)
            await asyncio.sleep(wait)
            failures += 1


@contextmanager
def refused_or_away() -> Iterator[None]:
    """Turns Kafka's errors into ours: StartError for what waiting does not mend, else ConnectionError."""
    try:
        yield
    except errors.OffsetOutOfRangeError as error:
        places = ", ".join(f"{tp.topic}[{tp.partition}] at {offset}" for tp, offset in error.args[0].items())
        raise StartError(
            f"Kafka no longer has what comes next ({places}): it was deleted, or the topic was made anew. Nothing was "
            "skipped; restore the topic, or begin an empty database to read from its first offset"
        ) from error
    except REFUSALS as error:
        raise StartError(f"Kafka refuses us: {describe(error)}") from error
    except (errors.KafkaError, errors.ConsumerStoppedError, TimeoutError) as error:
        raise ConnectionError(f"Kafka: {describe(error)}") from error


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that makes and lists topics, at a server that answers. Raises what the servers say when none does."""
    admin = AIOKafkaAdminClient(**client_options(settings) | {"bootstrap_servers": await _knock(settings)})
    try:
        await admin.start()
        yield admin
    finally:
        with suppress(Exception):  # it is of no more use, whatever it says
            async with asyncio.timeout(STOP_SECONDS):
                await admin.close()


async def _look(settings: Settings) -> Cluster:
    async with administration(settings) as admin:
        about = await admin.describe_cluster()
        topics = await admin.describe_topics()
    return Cluster(
        log_id=uuid5(_LOGS, f"{about['cluster_id']}/{settings.kafka_prefix}"),
        brokers=len(about["brokers"]),
        partitions={topic["topic"]: len(topic["partitions"]) for topic in topics},
        replicas={topic["topic"]: min(len(p["replicas"]) for p in topic["partitions"]) for topic in topics},
    )


async def _knock(settings: Settings) -> str:
    """The first of the servers to answer. aiokafka's clients only log why a server refuses them; this raises it.

    Raises ConnectionError when none answers, and what a server said that refuses us.
    """
    options = client_options(settings)
    servers: list[str] = options.pop("bootstrap_servers")

    async def connect(server: str) -> str:
        host, _, port = server.rpartition(":")
        connection = await create_conn(host.strip("[]"), int(port), **options)
        connection.close()
        return server

    knocking = {asyncio.create_task(connect(server)): server for server in servers}
    try:
        for done in asyncio.as_completed(knocking):
            with suppress(OSError, errors.KafkaError):
                return await done
    finally:
        for task in knocking:
            task.cancel()
    refused = [(task.exception(), server) for task, server in knocking.items()]
    for error, _ in refused:
        if isinstance(error, REFUSALS):
            raise error
    said = "; ".join(f"{server}: {type(error).__name__} {_hint(error)}".rstrip() for error, server in refused)
    raise ConnectionError(said)


def _hint(error: BaseException | None) -> str:
    """What a server may want that hangs up without a word."""
    hung_up = isinstance(error, ConnectionResetError | ssl.SSLError) or "closed" in str(error)
    return "(does it want TLS, SASL or a client certificate, or none of them?)" if hung_up else ""
