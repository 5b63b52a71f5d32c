"""The Kafka cluster: how to reach it, what it is called, and the topics that `closedloop migrate` makes in it."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.helpers import create_ssl_context

from schemas.topics import TOPICS
from services.runtime.logs import describe
from services.runtime.settings import Settings, SettingsError, StartError

REQUEST_SECONDS = 5.0
STOP_SECONDS = 2.0
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0
MOST_REPLICAS = 3

_LOGS = UUID("0f5b3c1e-6f2c-4f0e-9d1a-3c2b7f0a9d11")
"""The namespace of log ids: a log is a cluster and a prefix of topics in it."""

_REFUSALS = (
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


class Cluster(NamedTuple):
    """What a cluster said of itself: the id of our log in it, its brokers, and the partitions of all its topics."""

    log_id: UUID
    brokers: int
    partitions: dict[str, int]


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
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            async with asyncio.timeout(2 * REQUEST_SECONDS):
                return await _look(settings)
        except _REFUSALS as error:
            raise SettingsError(f"CLOSEDLOOP_BROKER refuses us: {describe(error)}; see CLOSEDLOOP_KAFKA_*") from error
        except (OSError, errors.KafkaError) as error:
            hint = "; does it want TLS, SASL or a client certificate?" if "closed" in str(error) else ""
            logger.warning("Kafka does not answer (%s)%s; trying again in %.1f s", describe(error), hint, wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)


async def make_topics(settings: Settings, progress: Callable[[str], None]) -> None:
    """Make the topics that are missing, kept for ever; `progress` is told of each.

    Partitions are made once: were there more later, keys would move, and their order would be lost. Raises StartError
    for a topic that is there with other partitions.
    """
    cluster = await find_cluster(settings)
    replicas = min(MOST_REPLICAS, cluster.brokers)
    kept = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(max(1, replicas - 1)),
        "unclean.leader.election.enable": "false",
    }
    missing = [
        NewTopic(settings.kafka_prefix + topic.name, topic.partitions, replicas, topic_configs=kept)
        for topic in TOPICS
        if settings.kafka_prefix + topic.name not in cluster.partitions
    ]
    if missing:
        async with administration(settings) as admin:
            with refused_or_away():
                response = await admin.create_topics(missing)
        for name, code, *_ in response.topic_errors:
            if code not in (errors.NoError.errno, errors.TopicAlreadyExistsError.errno):
                raise StartError(f"topic {name} cannot be made: {errors.for_code(code).__name__}")
            progress(f"topic {name}: {replicas} replicas, kept for ever")
        cluster = await _until_seen(settings, [topic.name for topic in missing])
    check_topics(settings, cluster)


def check_topics(settings: Settings, cluster: Cluster) -> None:
    """Raises StartError when a topic is missing, or has other partitions than this program expects."""
    for topic in TOPICS:
        name = settings.kafka_prefix + topic.name
        found = cluster.partitions.get(name)
        if found is None:
            raise StartError(f"Kafka has no topic {name} yet; run `closedloop migrate`")
        if found != topic.partitions:
            raise StartError(f"topic {name} has {found} partitions, this program expects {topic.partitions}")


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
    except _REFUSALS as error:
        raise StartError(f"Kafka refuses us: {describe(error)}") from error
    except (errors.KafkaError, errors.ConsumerStoppedError, TimeoutError) as error:
        raise ConnectionError(f"Kafka: {describe(error)}") from error


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that makes and lists topics."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        yield admin
    finally:
        with suppress(Exception):  # it is of no more use, whatever it says
            async with asyncio.timeout(STOP_SECONDS):
                await admin.close()


async def _look(settings: Settings) -> Cluster:
    await _knock(settings)
    async with administration(settings) as admin:
        about = await admin.describe_cluster()
        topics = await admin.describe_topics()
    return Cluster(
        log_id=uuid5(_LOGS, f"{about['cluster_id']}/{settings.kafka_prefix}"),
        brokers=len(about["brokers"]),
        partitions={topic["topic"]: len(topic["partitions"]) for topic in topics},
    )


async def _knock(settings: Settings) -> None:
    """Connect to one of the servers. aiokafka's clients only log why a server refuses them; this raises it."""
    options = client_options(settings)
    servers = options.pop("bootstrap_servers")
    refused: Exception = ConnectionError("no server")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(host.strip("[]"), int(port), **options)
        except (OSError, errors.KafkaError) as error:
            refused = error
        else:
            connection.close()
            return
    raise refused


async def _until_seen(settings: Settings, names: list[str]) -> Cluster:
    """The cluster once every broker can know the topics `names`: making one returns before that."""
    while True:
        cluster = await find_cluster(settings)
        if all(cluster.partitions.get(name) for name in names):
            return cluster
        await asyncio.sleep(FIRST_WAIT_SECONDS)
