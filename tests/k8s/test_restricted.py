"""Every pod keeps the restricted standard, and the rules would see it if one did not."""

import copy
from typing import Any

import pytest

from tests.k8s.manifests import ROOT, Cluster, name_of, pod_of
from tests.k8s.restricted import USER, faults


def test_every_pod_keeps_the_restricted_standard(cluster: Cluster) -> None:
    assert len(cluster.workloads) == 5
    assert {name_of(one): faults(one) for one in cluster.workloads if faults(one)} == {}


def test_pods_run_as_the_user_of_the_image() -> None:
    assert f"\nUSER {USER}:{USER}\n" in (ROOT / "deploy/Dockerfile").read_text()


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("securityContext", "runAsNonRoot"), False, "may run as root"),
        (("securityContext", "runAsUser"), 0, "does not run as user 10001"),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "may make any system call"),
        (("automountServiceAccountToken",), True, "is given a token of the API server"),
        (("enableServiceLinks",), None, "is given variables of other services, which look like settings"),
        (("hostNetwork",), True, "shares the machine's namespaces"),
        (("volumes",), [{"name": "host", "hostPath": {"path": "/"}}], "mounts a folder of the machine"),
        (("initContainers",), [{"name": "more"}], "has an init container, which these rules do not look at"),
        (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "may gain privileges"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "may write to its image"),
        (("containers", 0, "securityContext", "capabilities"), {"drop": ["NET_RAW"]}, "keeps capabilities"),
        (("containers", 0, "securityContext", "privileged"), True, "is privileged"),
        (("containers", 0, "volumeMounts"), [], "has nowhere to put a temporary file"),
        (("containers", 0, "resources", "requests"), {"memory": "512Mi"}, "does not say what it needs"),
        (("containers", 0, "resources", "limits"), {"memory": "1Gi"}, "may take memory that others were promised"),
        (("containers", 0, "ports", 0, "hostPort"), 8080, "listens on the machine itself"),
    ],
)
def test_a_pod_that_is_allowed_more_is_found(
    prod: Cluster, path: tuple[str | int, ...], value: object, fault: str
) -> None:
    collector = copy.deepcopy(prod.services["collector"])
    place: Any = pod_of(collector)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert faults(collector) == [fault]


def test_the_namespace_refuses_what_the_standard_forbids(cluster: Cluster) -> None:
    labels = cluster.one("Namespace", "closedloop")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_only_the_collector_is_never_throttled(cluster: Cluster) -> None:
    unlimited = {
        one["metadata"]["name"]
        for one in cluster.workloads
        if "cpu" not in pod_of(one)["containers"][0]["resources"]["limits"]
    }
    assert unlimited == {"collector"}
