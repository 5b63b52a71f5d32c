"""The topics of the log in Kafka: made by `closedloop migrate`, kept for ever, and held to that."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import TOPICS
from services.runtime.kafka_cluster import Cluster, administration, find_cluster, patiently
from services.runtime.settings import Settings, StartError

MOST_REPLICAS = 3
BROKERS_AGAIN_SECONDS = 2.0

KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""A log that forgets could not be replayed; one that is compacted has gaps."""

logger = logging.getLogger(__name__)


async def make_topics(settings: Settings, progress: Callable[[str], None]) -> None:
    """Make the topics that are missing; `progress` is told of each, and of one that has fewer replicas than it should.

    Waits for brokers that the settings name and that are not there, since replicas are chosen once. Partitions are
    never added: keys would move, and their order would be lost. Raises StartError for a topic that is there with other
    partitions, or that does not keep its records for ever.
    """
    cluster = await _enough_brokers(settings, progress)
    replicas = replicas_of(settings, cluster)
    names = [settings.kafka_prefix + topic.name for topic in TOPICS]
    missing = [name for name in names if name not in cluster.partitions]
    if missing:
        await patiently(partial(_create, settings, missing, replicas))
        for name in missing:
            progress(f"topic {name}: {replicas} replicas, kept for ever")
        cluster = await patiently(partial(_with_topics, settings, names))
    check_topics(settings, cluster)
    for name in names:
        configuration = await patiently(partial(_configuration, settings, name))
        _check_kept(name, configuration)
        if int(configuration.get("min.insync.replicas", in_sync_of(replicas))) < in_sync_of(replicas):
            progress(
                f"topic {name} answers when fewer than {in_sync_of(replicas)} brokers have a record: set "
                f"min.insync.replicas={in_sync_of(replicas)}"
            )
        if cluster.replicas[name] < replicas:
            progress(
                f"topic {name} has {cluster.replicas[name]} replicas, and should have {replicas}: see Kafka's "
                "kafka-reassign-partitions; what its only broker loses is lost"
            )


def replicas_of(settings: Settings, cluster: Cluster) -> int:
    """How many copies of a record there are to be: as set, else three, or as many as there are brokers to tell of."""
    return settings.kafka_replicas or min(MOST_REPLICAS, max(cluster.brokers, len(settings.kafka_servers)))


def in_sync_of(replicas: int) -> int:
    """How many brokers must have a record before it counts: the greater half."""
    return replicas // 2 + 1


def check_topics(settings: Settings, cluster: Cluster) -> None:
    """Raises StartError when a topic is missing, or has other partitions than this program expects."""
    for topic in TOPICS:
        name = settings.kafka_prefix + topic.name
        found = cluster.partitions.get(name)
        if found is None:
            raise StartError(f"Kafka has no topic {name} yet; run `closedloop migrate`")
        if found != topic.partitions:
            raise StartError(f"topic {name} has {found} partitions, this program expects {topic.partitions}")


async def _enough_brokers(settings: Settings, progress: Callable[[str], None]) -> Cluster:
    told = 0
    while (cluster := await find_cluster(settings)).brokers < (needed := replicas_of(settings, cluster)):
        if cluster.brokers != told:
            told = cluster.brokers
            progress(
                f"Kafka has {told} brokers, and topics are to have {needed} replicas: waiting for the others "
                f"(CLOSEDLOOP_KAFKA_REPLICAS={told} would do without them, for ever)"
            )
        await asyncio.sleep(BROKERS_AGAIN_SECONDS)
    return cluster


async def _create(settings: Settings, names: list[str], replicas: int) -> None:
    partitions = {settings.kafka_prefix + topic.name: topic.partitions for topic in TOPICS}
    in_sync = {"min.insync.replicas": str(in_sync_of(replicas)), "unclean.leader.election.enable": "false"}
    topics = [NewTopic(name, partitions[name], replicas, topic_configs=KEPT | in_sync) for name in names]
    async with administration(settings) as admin:
        response = await admin.create_topics(topics)
    for name, code, *_ in response.topic_errors:
        error = errors.for_code(code)
        if error.retriable or error is errors.InvalidReplicationFactorError:  # of the latter: a broker has gone again
            raise ConnectionError(f"{name} cannot have {replicas} replicas now: {error.__name__}")
        if error not in (errors.NoError, errors.TopicAlreadyExistsError):
            raise StartError(f"topic {name} cannot be made: {error.__name__}")


async def _with_topics(settings: Settings, names: list[str]) -> Cluster:
    """The cluster with these topics; they are made before every broker knows of them."""
    cluster = await find_cluster(settings)
    for name in names:
        if not cluster.partitions.get(name):
            raise ConnectionError(f"{name} is not known everywhere yet")
    return cluster


async def _configuration(settings: Settings, name: str) -> Mapping[str, str]:
    """Names and values; none where we have no right to ask."""
    async with administration(settings) as admin:
        return await _described(admin, name)


async def _described(admin: AIOKafkaAdminClient, name: str) -> Mapping[str, str]:
    [response] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    [(code, _, _, _, entries)] = response.resources
    if code != errors.NoError.errno:
        logger.warning("topic %s: cannot see how long it is kept (%s)", name, errors.for_code(code).__name__)
        return {}
    return {entry[0]: entry[1] for entry in entries}


def _check_kept(name: str, configuration: Mapping[str, str]) -> None:
    for setting, value in KEPT.items():
        found = configuration.get(setting, value)
        if found != value:
            raise StartError(
                f"topic {name} has {setting}={found}, and would lose events that were not credited yet; set it to "
                f"{value} (kafka-configs --alter --topic {name} --add-config {setting}={value})"
            )
