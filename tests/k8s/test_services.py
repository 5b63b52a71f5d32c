"""The manifests agree with the programs: ports, settings, secrets, and the time that an end takes."""

import re
import tomllib
from urllib.parse import urlsplit

import pytest
import yaml

from services.cli import app
from services.local.supervisor import service_commands
from services.runtime.lifecycle import DRAIN_SECONDS
from services.runtime.settings import EX_CONFIG, Settings, SettingsError, load_settings
from tests.k8s.manifests import (
    COMPONENT,
    ROOT,
    Cluster,
    container_of,
    labels_of,
    name_of,
    pod_of,
    ports_of,
    secrets_of,
    selects,
)

DEFAULTS = Settings.model_construct()
SERVICES = {service.name: service.ops_port for service in service_commands(DEFAULTS)}
SETTINGS = {f"CLOSEDLOOP_{name.upper()}" for name in Settings.model_fields}
SECRETS = list(yaml.safe_load_all((ROOT / "k8s/secret.example.yaml").read_text()))
EXAMPLES = {
    (secret["metadata"]["name"], key): value for secret in SECRETS for key, value in secret["stringData"].items()
}
LEAST_MARGIN_SECONDS = 5
REAL = {
    "CLOSEDLOOP_DATABASE_URL": "postgresql://closedloop:secret@postgres.postgres/closedloop",
    "CLOSEDLOOP_WRITE_KEY": "known-to-everyone",
    "CLOSEDLOOP_ADMIN_TOKEN": "0123456789abcdef",
    "CLOSEDLOOP_ID_KEY": "0123456789abcdef",
    "CLOSEDLOOP_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
    "CLOSEDLOOP_KAFKA_USER": "closedloop",
    "CLOSEDLOOP_KAFKA_PASSWORD": "secret",
}
"""A right value for each secret."""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_each_service_has_a_deployment_that_runs_it(cluster: Cluster) -> None:
    commands = {name: container_of(service)["command"] for name, service in cluster.services.items()}
    assert commands == {name: ["closedloop", name] for name in SERVICES}
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {*SERVICES, "migrate"} <= known


def test_ports_are_those_the_services_listen_on_by_default(cluster: Cluster) -> None:
    http = {"collector": {"http": DEFAULTS.port}, "reports": {"http": DEFAULTS.reports_port}}
    expected = {name: {"ops": ops} | http.get(name, {}) for name, ops in SERVICES.items()}
    assert {name: ports_of(service) for name, service in cluster.services.items()} == expected
    ports = {"CLOSEDLOOP_PORT", "CLOSEDLOOP_REPORTS_PORT", "CLOSEDLOOP_OPS_PORT"}
    assert not ports & cluster.settings.keys()


def test_every_variable_is_a_setting(cluster: Cluster) -> None:
    given = {*cluster.settings, *(name for one in cluster.workloads for name in secrets_of(one))}
    assert given - SETTINGS == set()


def test_the_settings_are_right_once_the_secrets_are(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (cluster.settings | REAL).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.broker.startswith("kafka://")
    assert settings.host == "0.0.0.0"


def test_every_pod_takes_the_common_settings(cluster: Cluster) -> None:
    (settings,) = cluster.all("ConfigMap")
    source = [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    assert [name_of(one) for one in cluster.workloads if container_of(one)["envFrom"] != source] == []


def test_no_setting_that_is_secret_stands_in_the_open(cluster: Cluster) -> None:
    secret = {f"CLOSEDLOOP_{name.upper()}" for name, value in DEFAULTS if type(value).__name__ == "SecretStr"}
    assert len(secret) >= 5
    assert not secret & cluster.settings.keys()


@pytest.mark.parametrize(
    ("workload", "secrets"),
    [
        ("Job migrate", {"DATABASE_URL"}),
        ("Deployment collector", {"WRITE_KEY", "ADMIN_TOKEN", "ID_KEY", "WEBHOOK_SECRET"}),
        ("Deployment identity", {"DATABASE_URL", "ID_KEY"}),
        ("Deployment attributor", {"DATABASE_URL", "ID_KEY"}),
        ("Deployment reports", {"DATABASE_URL", "WRITE_KEY", "ADMIN_TOKEN", "ID_KEY"}),
    ],
)
def test_a_pod_knows_the_secrets_it_needs_and_no_other(cluster: Cluster, workload: str, secrets: set[str]) -> None:
    found = secrets_of(cluster.one(*workload.split()))
    assert {
        name.removeprefix("CLOSEDLOOP_") for name, (secret, _) in found.items() if secret == "closedloop"
    } == secrets
    assert [name for name, (secret, key) in found.items() if secret == "closedloop" and key != name] == []


def test_the_example_names_every_secret_that_is_used_and_no_other(prod: Cluster) -> None:
    used = {place for one in prod.workloads for place in secrets_of(one).values()}
    mounted = {
        (volume["secret"]["secretName"], item["key"])
        for one in prod.workloads
        for volume in pod_of(one)["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
    }
    keda = {
        (target["name"], target["key"])
        for login in prod.all("TriggerAuthentication")
        for target in login["spec"]["secretTargetRef"]
    }
    assert used | mounted | keda == EXAMPLES.keys()


def test_the_certificate_of_kafka_is_where_the_setting_says(prod: Cluster) -> None:
    wanted = prod.settings["CLOSEDLOOP_KAFKA_CA_FILE"]
    for one in prod.workloads:
        folders = {mount["name"]: mount["mountPath"] for mount in container_of(one)["volumeMounts"]}
        files = [
            f"{folders[volume['name']]}/{item['path']}"
            for volume in pod_of(one)["volumes"]
            if "secret" in volume
            for item in volume["secret"]["items"]
        ]
        assert files == [wanted], name_of(one)


@pytest.mark.parametrize("name", ["ADMIN_TOKEN", "ID_KEY", "WEBHOOK_SECRET"])
def test_the_examples_of_secrets_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for right, value in REAL.items():
        monkeypatch.setenv(right, value)
    monkeypatch.setenv(f"CLOSEDLOOP_{name}", EXAMPLES["closedloop", f"CLOSEDLOOP_{name}"])
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_the_readme_makes_every_secret_of_the_example() -> None:
    readme = (ROOT / "k8s/README.md").read_text()
    lines = set(re.findall(r"^(\w+)=", readme, re.MULTILINE))
    files = set(re.findall(r'--from-file="\$HOME/closedloop-secrets/([\w.]+)"', readme))
    assert {("closedloop", key) for key in lines} | {("closedloop-kafka", key) for key in files} == EXAMPLES.keys()
    assert "--from-literal" not in readme, "it shows a secret to the shell's history and the list of processes"


def test_a_wrong_setting_fails_the_migration_at_once(cluster: Cluster) -> None:
    job = cluster.one("Job", "migrate")["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # what podFailurePolicy needs
    codes = [rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
    assert codes == [{"containerName": "closedloop", "operator": "In", "values": [EX_CONFIG]}]


def test_an_end_has_the_time_it_takes(cluster: Cluster) -> None:
    for service in cluster.services.values():
        before = container_of(service).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        grace = pod_of(service)["terminationGracePeriodSeconds"]
        assert grace >= before + DRAIN_SECONDS + LEAST_MARGIN_SECONDS, name_of(service)


def test_what_serves_requests_goes_on_until_routers_know_that_it_leaves(cluster: Cluster) -> None:
    waiting = {name for name, one in cluster.services.items() if "lifecycle" in container_of(one)}
    assert waiting == {"collector", "reports"}


@pytest.mark.parametrize(
    ("service", "startup", "readiness"),
    [
        ("collector", "/readyz", "/healthz"),  # it joins when Kafka has answered, and stays in an outage
        ("identity", "/healthz", "/readyz"),
        ("attributor", "/healthz", "/readyz"),
        ("reports", "/healthz", "/readyz"),
    ],
)
def test_probes_ask_what_they_mean(cluster: Cluster, service: str, startup: str, readiness: str) -> None:
    container = container_of(cluster.services[service])
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": startup, "port": "ops"},
        "liveness": {"path": "/healthz", "port": "ops"},
        "readiness": {"path": readiness, "port": "ops"},
    }


def test_a_collector_that_starts_in_an_outage_waits_for_a_day(cluster: Cluster) -> None:
    probe = container_of(cluster.services["collector"])["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 24 * 60 * 60


def test_the_image_is_this_version_and_the_same_everywhere(cluster: Cluster) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = {container_of(one)["image"] for one in cluster.workloads}
    assert image.rpartition("/")[2] == f"closedloop:{version}"


def test_browsers_are_told_the_address_that_the_ingress_has(cluster: Cluster) -> None:
    (rule,) = cluster.one("Ingress", "collector")["spec"]["rules"]
    assert urlsplit(cluster.settings["CLOSEDLOOP_PUBLIC_URL"]).netloc == rule["host"]


def test_the_ingress_shows_what_is_public_and_no_health_page(cluster: Cluster) -> None:
    shown = {
        (rule["host"].partition(".")[0], path["path"], path["pathType"], path["backend"]["service"]["name"])
        for ingress in cluster.all("Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert shown == {
        ("collect", "/v1/", "Prefix", "collector"),
        ("collect", "/loop.js", "Exact", "collector"),
        ("collect", "/.well-known/gpc.json", "Exact", "collector"),
        ("reports", "/", "Prefix", "reports"),
    }
    assert [one["metadata"]["name"] for one in cluster.all("Ingress") if not one["spec"].get("tls")] == []


def test_every_route_leads_to_a_port_of_a_pod(cluster: Cluster) -> None:
    for ingress in cluster.all("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                service = cluster.one("Service", backend["name"])
                (port,) = [port for port in service["spec"]["ports"] if port["name"] == backend["port"]["name"]]
                (target,) = [
                    one
                    for one in cluster.services.values()
                    if service["spec"]["selector"].items() <= labels_of(one).items()
                ]
                assert port["targetPort"] in ports_of(target)


def test_a_deployment_counts_its_own_pods_alone(cluster: Cluster) -> None:
    for service in cluster.services.values():
        chosen = [one for one in cluster.workloads if selects(service["spec"]["selector"], labels_of(one))]
        assert chosen == [service]
        for spread in pod_of(service)["topologySpreadConstraints"]:
            assert selects(spread["labelSelector"], labels_of(service))
            assert COMPONENT in spread["matchLabelKeys"]


def test_a_new_version_that_does_not_start_takes_nothing_away(cluster: Cluster) -> None:
    for service in cluster.services.values():
        assert service["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, name_of(service)


def test_drained_machines_take_one_pod_of_a_service_at_a_time(cluster: Cluster) -> None:
    budgets = cluster.all("PodDisruptionBudget")
    for service in cluster.services.values():
        (budget,) = [one["spec"] for one in budgets if selects(one["spec"]["selector"], labels_of(service))]
        assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert len(budgets) == len(cluster.services)
