"""The Kubernetes manifests as kubectl renders them, and the few questions that tests ask of them."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BASE, PROD = ROOT / "k8s/base", ROOT / "k8s/overlays/prod"
EVERYTHING = Path(__file__).parent / "everything"
COMPONENT = "app.kubernetes.io/component"

Object = dict[str, Any]


@cache
def render(folder: Path) -> tuple[Object, ...]:
    """The objects of a kustomization, in kubectl's order. Raises AssertionError with kubectl's own words."""
    kubectl = shutil.which("kubectl")
    assert kubectl is not None
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


class Cluster:
    """What a kustomization would put into a cluster."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self.objects = list(objects)

    def all(self, *kinds: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        found = [one for one in self.all(kind) if one["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects are a {kind} named {name}"
        return found[0]

    @property
    def workloads(self) -> list[Object]:
        """Whatever runs a pod of ours."""
        return self.all("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")

    @property
    def services(self) -> dict[str, Object]:
        """The Deployments by name."""
        return {one["metadata"]["name"]: one for one in self.all("Deployment")}

    @property
    def settings(self) -> dict[str, str]:
        """The ConfigMap that all pods take their settings from."""
        (found,) = self.all("ConfigMap")
        return found["data"]


def name_of(thing: Object) -> str:
    return f"{thing['kind']} {thing['metadata']['name']}"


def pod_of(workload: Object) -> Object:
    return workload["spec"]["template"]["spec"]


def labels_of(workload: Object) -> Mapping[str, str]:
    """The labels of its pods."""
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload: Object) -> Object:
    (only,) = pod_of(workload)["containers"]
    return only


def ports_of(workload: Object) -> dict[str, int]:
    """Ports by name."""
    return {port["name"]: port["containerPort"] for port in container_of(workload).get("ports", [])}


def secrets_of(workload: Object) -> dict[str, tuple[str, str]]:
    """The secret's name and key of each variable that comes from one."""
    references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in container_of(workload).get("env", [])}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (of Kubernetes, with `In` as its only operator) chooses a pod with these labels."""
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", expression
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
