"""Who may talk to whom: nothing, but for this table."""

from collections.abc import Iterator

import pytest

from tests.k8s.manifests import COMPONENT, Cluster, Object, labels_of, ports_of, selects

NAMESPACE = "kubernetes.io/metadata.name"
DNS = {f"{server}:53/{protocol}" for server in ("kube-system", "169.254.20.10/32") for protocol in ("UDP", "TCP")}
KAFKA = {"kafka:9092/TCP", "kafka:9093/TCP"}
POSTGRES = {"postgres:5432/TCP"}
VISITORS = {"nginx-ingress:http/TCP"}
PROMETHEUS = {"monitoring:ops/TCP"}


def test_what_no_rule_allows_is_refused_both_ways(cluster: Cluster) -> None:
    policy = cluster.one("NetworkPolicy", "deny-all")["spec"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize(
    ("pod", "outward", "inward"),
    [
        ("collector", DNS | KAFKA, VISITORS | PROMETHEUS),  # the internet reaches it, so the database does not
        ("identity", DNS | KAFKA | POSTGRES, PROMETHEUS),
        ("attributor", DNS | KAFKA | POSTGRES, PROMETHEUS),
        ("reports", DNS | KAFKA | POSTGRES, VISITORS | PROMETHEUS),
        ("migrate", DNS | KAFKA | POSTGRES, set()),
    ],
)
def test_a_pod_reaches_and_hears_what_it_needs_alone(
    cluster: Cluster, pod: str, outward: set[str], inward: set[str]
) -> None:
    labels = labels_of(next(one for one in cluster.workloads if one["metadata"]["name"] == pod))
    assert labels[COMPONENT] == pod
    policies = [one["spec"] for one in cluster.all("NetworkPolicy") if selects(one["spec"]["podSelector"], labels)]
    assert set(allowed(policies, "egress", "to")) == outward
    assert set(allowed(policies, "ingress", "from")) == inward


def test_ports_named_in_policies_are_ports_of_the_pods(cluster: Cluster) -> None:
    for policy in cluster.all("NetworkPolicy"):
        named = {
            port["port"]
            for rule in policy["spec"].get("ingress", [])
            for port in rule["ports"]
            if isinstance(port["port"], str)
        }
        for service in cluster.services.values():
            if selects(policy["spec"]["podSelector"], labels_of(service)):
                assert named <= ports_of(service).keys()


def allowed(policies: list[Object], direction: str, peers: str) -> Iterator[str]:
    """`namespace:port/protocol` or `network:port/protocol` of each opening; a rule without peers or ports would open everything, and is an error."""
    for policy in policies:
        assert direction not in policy or direction.capitalize() in policy["policyTypes"]
        for rule in policy.get(direction, []):
            for peer in rule[peers]:
                (kind,) = peer
                place = peer[kind]["cidr"] if kind == "ipBlock" else peer[kind]["matchLabels"][NAMESPACE]
                for port in rule["ports"]:
                    yield f"{place}:{port['port']}/{port['protocol']}"
