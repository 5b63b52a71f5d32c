"""How many pods there are: the collector's by load, the consumers' by lag, and never two who decide."""

from collections import Counter
from urllib.parse import urlsplit

import pytest

from schemas.topics import READERS, TOPICS
from services.runtime.settings import Settings
from tests.k8s.manifests import Cluster, Object

PREFIX = Settings.model_construct().kafka_prefix
SASL = {"PLAIN": "plaintext", "SCRAM-SHA-256": "scram_sha256", "SCRAM-SHA-512": "scram_sha512"}
"""KEDA's names for what the setting calls otherwise."""

METADATA = {
    "bootstrapServers", "version", "tls", "sasl", "consumerGroup", "topic",
    "lagThreshold", "offsetResetPolicy", "excludePersistentLag", "limitToPartitionsWithLag",
}  # fmt: skip
"""KEDA ignores a name it does not know, so these were compared with its source (2.21, pkg/scalers/kafka_scaler.go)."""


def test_one_alone_decides_how_many_there_are(cluster: Cluster) -> None:
    scalers = cluster.all("HorizontalPodAutoscaler", "ScaledObject")
    targets = Counter(one["spec"]["scaleTargetRef"]["name"] for one in scalers)
    fixed = Counter(name for name, service in cluster.services.items() if "replicas" in service["spec"])
    assert targets + fixed == Counter(list(cluster.services))


def test_no_service_stands_on_one_pod(cluster: Cluster) -> None:
    autoscalers = cluster.all("HorizontalPodAutoscaler")
    least = [one["spec"]["minReplicas"] for one in autoscalers]
    least += [one["spec"]["minReplicaCount"] for one in cluster.all("ScaledObject")]
    least += [one["spec"]["replicas"] for one in cluster.services.values() if "replicas" in one["spec"]]
    assert len(least) == len(cluster.services)
    assert min(least) >= 2


def test_load_is_measured_against_a_request_for_cpu(cluster: Cluster) -> None:
    (scaler,) = cluster.all("HorizontalPodAutoscaler")
    (container,) = cluster.services[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]["template"]["spec"]["containers"]
    assert "cpu" in container["resources"]["requests"]


@pytest.mark.parametrize("group", READERS)
def test_lag_is_measured_on_each_topic_that_the_group_reads(prod: Cluster, group: str) -> None:
    scaled = prod.one("ScaledObject", group)["spec"]
    assert scaled["scaleTargetRef"]["name"] == group
    assert {trigger["metadata"]["topic"] for trigger in scaled["triggers"]} == {
        PREFIX + topic.name for topic in READERS[group]
    }
    assert {trigger["metadata"]["consumerGroup"] for trigger in scaled["triggers"]} == {PREFIX + group}
    assert {trigger["type"] for trigger in scaled["triggers"]} == {"kafka"}
    assert scaled["maxReplicaCount"] == max(topic.partitions for topic in READERS[group])


def test_every_trigger_knows_the_broker_as_the_services_do(prod: Cluster) -> None:
    servers = prod.settings["CLOSEDLOOP_BROKER"].removeprefix("kafka://")
    for metadata in _triggers(prod):
        assert metadata.keys() == METADATA
        assert metadata["bootstrapServers"] == servers
        assert (metadata["tls"] == "enable") == (prod.settings["CLOSEDLOOP_KAFKA_TLS"] == "true")
        assert metadata["sasl"] == SASL[prod.settings["CLOSEDLOOP_KAFKA_SASL"]]
    assert all(urlsplit(f"//{server}").port for server in servers.split(","))
    assert len(_triggers(prod)) == sum(len(topics) for topics in READERS.values()) > len(TOPICS)


def test_keda_speaks_a_protocol_that_kafka_4_still_knows(prod: Cluster) -> None:
    for metadata in _triggers(prod):
        assert tuple(map(int, metadata["version"].split("."))) >= (2, 1, 0)  # KIP-896


def test_an_outage_does_not_add_consumers_and_a_new_group_has_all_before_it(prod: Cluster) -> None:
    for metadata in _triggers(prod):
        assert metadata["excludePersistentLag"] == "true"
        assert metadata["limitToPartitionsWithLag"] == "true"
        assert metadata["offsetResetPolicy"] == "earliest"


def test_consumers_leave_slowly_and_one_by_one(prod: Cluster) -> None:
    for scaled in prod.all("ScaledObject"):
        down = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 300
        assert [policy["value"] for policy in down["policies"]] == [1]


def test_keda_signs_in_with_all_that_the_broker_asks_for(prod: Cluster) -> None:
    login = prod.one("TriggerAuthentication", "kafka-login")["spec"]["secretTargetRef"]
    assert {target["parameter"] for target in login} == {"username", "password", "ca"}
    references = {
        trigger["authenticationRef"]["name"] for one in prod.all("ScaledObject") for trigger in one["spec"]["triggers"]
    }
    assert references == {"kafka-login"}


def _triggers(cluster: Cluster) -> list[Object]:
    return [trigger["metadata"] for one in cluster.all("ScaledObject") for trigger in one["spec"]["triggers"]]
