"""deploy/compose.yaml and what belongs to it: contained, complete, and in agreement with the programs."""

import copy
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from services.runtime.settings import Settings
from tests.deploy.composed import (
    DEPLOY,
    FILES,
    ROOT,
    environment_of,
    filled,
    load,
    make_env,
    read_env,
    variables_in,
)
from tests.deploy.policy import faults_of

OURS = ("collector", "identity", "attributor", "reports", "migrate")


def changed(service: str, **changes: Any) -> dict[str, Any]:
    """The compose file with other words for one service; None takes a word away."""
    composed = copy.deepcopy(load())
    words = composed["services"].setdefault(service, {"image": "redis"})
    words |= changes
    for word in [word for word, value in words.items() if value is None]:
        del words[word]
    return composed


def test_the_shipped_file_keeps_every_rule() -> None:
    assert faults_of(load(), DEPLOY) == []


@pytest.mark.parametrize(
    ("service", "changes", "fault"),
    [
        ("kafka", {"mem_limit": None}, "has no mem_limit"),
        ("kafka", {"cpus": None}, "has no cpus"),
        ("kafka", {"pids_limit": None}, "has no pids_limit"),
        ("kafka", {"logging": {"driver": "json-file"}}, "its log may grow for ever"),
        ("kafka", {"read_only": False}, "its root file system can be written to"),
        ("kafka", {"cap_drop": None}, "keeps capabilities"),
        ("kafka", {"cap_add": ["NET_ADMIN"]}, "keeps capabilities"),
        ("kafka", {"security_opt": None}, "may gain privileges"),
        ("kafka", {"privileged": True}, "is not contained at all"),
        ("kafka", {"user": None}, "runs as root"),
        ("kafka", {"user": "0:0"}, "runs as root"),
        ("kafka", {"image": "apache/kafka:latest"}, "its image apache/kafka:latest is no fixed version"),
        ("kafka", {"image": "apache/kafka"}, "its image apache/kafka is no fixed version"),
        ("kafka", {"image": "apache/kafka:4"}, "its image apache/kafka:4 is no fixed version"),
        ("kafka", {"init": None}, "has no init"),
        ("kafka", {"restart": None}, "ends for good when it should not, or never when it should"),
        ("migrate", {"restart": "unless-stopped"}, "ends for good when it should not, or never when it should"),
        ("kafka", {"stop_grace_period": None}, "is killed after 10 s"),
        ("kafka", {"healthcheck": None}, "has no health check"),
        ("collector", {"healthcheck": {"disable": True}}, "has no health check"),
        ("collector", {"ports": ["9090:9090"]}, "publishes 9090:9090"),
        ("grafana", {"ports": ["3000:3000"]}, "publishes 3000:3000"),
        ("nginx", {"volumes": ["./nginx/no.conf:/etc/no.conf:ro"]}, "mounts ./nginx/no.conf, which is not there"),
        ("nginx", {"volumes": ["./nginx/nginx.conf:/etc/nginx/nginx.conf"]}, "may write to ./nginx/nginx.conf"),
        ("postgres", {"environment": {"POSTGRES_PASSWORD": "secret"}}, "POSTGRES_PASSWORD is not taken from .env, or may be empty"),
        ("reports", {"environment": {"CLOSEDLOOP_ID_KEY": "${CLOSEDLOOP_ID_KEY:-}"}}, "CLOSEDLOOP_ID_KEY is not taken from .env, or may be empty"),
        ("identity", {"networks": ["front"]}, "is on a network that reaches out"),
        ("identity", {"networks": None}, "joins no network of this file"),
        ("identity", {"depends_on": {"redis": {"condition": "service_started"}}}, "depends on redis, which is no service"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(service: str, changes: dict[str, Any], fault: str) -> None:
    told = faults_of(changed(service, **changes), DEPLOY)
    assert [line for line in told if line not in faults_of(load(), DEPLOY)] == [f"{service}: {fault}"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_gets_settings_that_are_settings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment_of(load()["services"][name], make_env(tmp_path / "env"))
    ours = {variable for variable in given if variable.startswith("CLOSEDLOOP_")}
    assert {variable.removeprefix("CLOSEDLOOP_").lower() for variable in ours} <= Settings.model_fields.keys()
    for variable in ours:
        monkeypatch.setenv(variable, given[variable])
    assert Settings().kafka_servers == ("kafka:9092",)


def test_the_collector_has_no_way_to_the_database() -> None:
    assert "CLOSEDLOOP_DATABASE_URL" not in load()["services"]["collector"]["environment"]


def test_the_ports_are_those_that_the_programs_listen_on() -> None:
    defaults = Settings.model_fields
    nginx = load()["services"]["nginx"]["environment"]
    assert nginx["COLLECTOR"] == f"collector:{defaults['port'].default} resolve"
    assert nginx["REPORTS"] == f"reports:{defaults['reports_port'].default} resolve"


def test_every_variable_of_nginxs_templates_has_a_value() -> None:
    given = {name for path in FILES for name in load(path)["services"]["nginx"]["environment"]}
    templates = list((DEPLOY / "nginx" / "templates").iterdir())
    used = {name for path in templates for name in variables_in(path.read_text())}
    assert used - given == {"NGINX_LOCAL_RESOLVERS"}, "which the official image's entry point sets"
    assert "NGINX_ENTRYPOINT_LOCAL_RESOLVERS" in given


def test_every_variable_is_in_the_example() -> None:
    used = {name for path in FILES for name in variables_in(path.read_text())}
    assert read_env(DEPLOY / "env.example").keys() == used | {"COMPOSE_FILE"}, "which is for Compose itself"


def test_the_example_says_what_the_compose_files_say_by_themselves() -> None:
    defaults = {name: value for path in FILES for name, value in re.findall(r"\$\{(\w+):-([^}]+)\}", path.read_text())}
    example = {name: value for name, value in read_env(DEPLOY / "env.example").items() if value}
    assert {name: defaults[name] for name in example.keys() & defaults} == {
        name: example[name] for name in example.keys() & defaults
    }


def test_one_setting_names_the_files_of_every_command() -> None:
    assert read_env(DEPLOY / "env.example")["COMPOSE_FILE"] == FILES[0].name
    readme = (DEPLOY / "README.md").read_text()
    assert "COMPOSE_FILE=" + ":".join(path.name for path in FILES) in readme
    assert "docker compose -f" not in readme, "a command with files of its own takes HTTPS away"


def test_a_web_server_on_the_same_machine_is_trusted_by_the_address_it_has() -> None:
    gateway = next(ip_network(read_env(DEPLOY / "env.example")["FRONT_SUBNET"]).hosts())
    assert f"TRUSTED_PROXY={gateway}" in (DEPLOY / "README.md").read_text()
    assert f"FRONT_SUBNET: {gateway}" in (DEPLOY / "env.example").read_text()


def test_make_env_makes_each_key_anew_and_only_once(tmp_path: Path) -> None:
    first, second = make_env(tmp_path / "first"), make_env(tmp_path / "second")
    keys = {name for name, value in read_env(DEPLOY / "env.example").items() if first[name] != value}
    required = {
        name for name in variables_in_required() if name not in {"COLLECTOR_HOST", "REPORTS_HOST", "TLS_FOLDER"}
    }
    assert keys == required
    assert [name for name in keys if first[name] == second[name]] == []
    assert re.fullmatch(r"[A-Za-z0-9]{22}", first["KAFKA_CLUSTER_ID"]), "16 bytes, as Kafka writes them"
    assert (tmp_path / "first").stat().st_mode & 0o777 == 0o600
    assert make_env(tmp_path / "first") == first


def test_keys_of_make_env_are_accepted(tmp_path: Path) -> None:
    made = make_env(tmp_path / "env")
    names = ("write_key", "admin_token", "id_key", "webhook_secret")
    settings = Settings.model_validate({name: made[f"CLOSEDLOOP_{name.upper()}"] for name in names})
    settings.require(*names)


def test_a_missing_key_stops_the_start_with_advice() -> None:
    with pytest.raises(KeyError, match="run deploy/make-env"):
        filled(load()["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"], {})


def test_keys_do_not_get_into_the_repository_or_the_image() -> None:
    assert ".env" in (DEPLOY / ".gitignore").read_text().splitlines()
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*", "all that is not named is left out"


def variables_in_required() -> set[str]:
    """The variables without which Compose refuses to start."""
    return {name for path in FILES for name in re.findall(r"\$\{(\w+):\?", path.read_text())}
