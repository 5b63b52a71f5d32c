"""The API server would take every object: each is held to the schema of its kind, and a field it does not know is an error.

The schemas of Kubernetes itself come with a package. Those of KEDA and of the Prometheus operator are in their Go
modules, which Go fetches once, checks, and keeps.
"""

import copy
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from tests.k8s.manifests import BASE, EVERYTHING, ROOT, Object, name_of, render

OLDEST, NEWEST = "1.30", "1.37"
"""The Kubernetes versions that the manifests are held to; 1.30 is the first that sleeps before a stop."""

MODULES = {
    "keda.sh": ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
}
"""Where the definitions of custom kinds are published: by API group, the Go module and its folder."""


def group_of(thing: Object) -> str:
    return str(thing["apiVersion"].rpartition("/")[0])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("folder", [BASE, EVERYTHING], ids=["base", "prod"])
def test_kubernetes_would_take_every_object(kubectl: None, folder: Path, version: str) -> None:
    built_in = [one for one in render(folder) if group_of(one) not in MODULES]
    assert len(built_in) > 20
    assert {name_of(one): found for one in built_in if (found := refusal(one, version))} == {}


def test_the_example_of_the_secrets_is_one(kubectl: None) -> None:
    for secret in yaml.safe_load_all((ROOT / "k8s/secret.example.yaml").read_text()):
        assert refusal(secret, NEWEST) == ""


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "minReadySecond"), 5),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "paht"), "/readyz"),
        ("HorizontalPodAutoscaler", ("spec", "minReplicas"), "2"),
    ],
)
def test_a_slip_of_the_pen_in_an_object_of_kubernetes_is_found(
    kubectl: None, kind: str, path: tuple[str | int, ...], value: object
) -> None:
    wrong = changed(next(one for one in render(BASE) if one["kind"] == kind), path, value)
    assert refusal(wrong, NEWEST) != ""


@pytest.mark.parametrize("group", MODULES)
def test_the_operators_would_take_every_object_of_theirs(kubectl: None, group: str) -> None:
    custom = [one for one in render(EVERYTHING) if group_of(one) == group]
    assert custom
    for one in custom:
        assert custom_refusals(one) == [], name_of(one)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("ScaledObject", ("spec", "maxReplicas"), 8),
        ("ScaledObject", ("spec", "minReplicaCount"), "2"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "intervall"), "15s"),
    ],
)
def test_a_slip_of_the_pen_in_an_object_of_an_operator_is_found(
    kubectl: None, kind: str, path: tuple[str | int, ...], value: object
) -> None:
    wrong = changed(next(one for one in render(EVERYTHING) if one["kind"] == kind), path, value)
    assert custom_refusals(wrong) != []


def changed(thing: Object, path: tuple[str | int, ...], value: object) -> Object:
    changed = copy.deepcopy(thing)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


def refusal(thing: Object, version: str) -> str:
    """What Kubernetes of this version has against the object; nothing is an empty text."""
    try:
        kubernetes_validate.validate(thing, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.InvalidSchemaError) as error:
        return str(error)
    return ""


def custom_refusals(thing: Object) -> list[str]:
    validator = Draft7Validator(definition(group_of(thing), thing["apiVersion"], thing["kind"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(thing)]


@cache
def definition(group: str, api_version: str, kind: str) -> Object:
    """The schema of an operator's kind, with no room for fields that it does not name."""
    module, folder = MODULES[group]
    spec = yaml.safe_load((fetch(module) / folder / f"{group}_{kind.lower()}s.yaml").read_text())["spec"]
    (found,) = [one for one in spec["versions"] if f"{group}/{one['name']}" == api_version]
    schema: Object = closed(found["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


@cache
def fetch(module: str) -> Path:
    """The folder of a Go module, from Go's own store or the network. Skips where neither is there; in CI it fails."""
    refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    go = shutil.which("go")
    if go is None:
        refuse(f"Go is missing, which fetches the schemas of {module}; on Debian: apt-get install golang-go")
    command = [str(go), "mod", "download", "-json", module]
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/", timeout=100)
    try:
        return Path(json.loads(done.stdout)["Dir"])
    except (ValueError, KeyError):
        said = " ".join((done.stdout + done.stderr).split())
        refuse(f"{module} cannot be fetched for its schemas: {said[:300]}")


def closed(schema: Any) -> Any:
    """The schema with no room for fields that it does not name, as the API server reads it when asked to be strict."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        schema["additionalProperties"] = False
    return schema
