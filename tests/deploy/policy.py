"""What every container of a compose file must keep to. Pure but for the question whether a mounted file is there."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PUBLISHED = {"nginx": "", "grafana": "127.0.0.1:"}
"""Who may have a port on the machine, and with what its address begins."""

OURS = "closedloop:"
"""The image of deploy/Dockerfile, which has its user and its health check in itself."""

_SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET|WRITE_KEY|ID_KEY)$")
_REQUIRED = re.compile(r"\$\{\w+:\?[^}]+\}")
_PINNED = re.compile(r":v?\d+\.\d+\.\d+(-[\w.]+)?$|:\d+\.\d+-[\w.]+$|@sha256:[0-9a-f]{64}$|:\$\{\w+:-\d+\.\d+\.\d+\}$")


def faults_of(composed: Mapping[str, Any], folder: Path) -> list[str]:
    """What is wrong with a compose file of `folder`, a line each; nothing is a good file."""
    services = composed["services"]
    one_shots = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    faults = [
        f"{name}: {fault}"
        for name, service in services.items()
        for fault in (
            *_limits(service),
            *_contained(service),
            *_life(service, ends=name in one_shots),
            *_ports(name, service),
            *_mounts(service, folder),
            *_secrets(service),
            *(f"depends on {other}, which is no service" for other in service.get("depends_on", {}).keys() - services),
        )
    ]
    return faults + list(_networks(composed))


def _limits(service: Mapping[str, Any]) -> Iterator[str]:
    for name in ("mem_limit", "cpus", "pids_limit"):
        if name not in service:
            yield f"has no {name}"
    options = service.get("logging", {}).get("options", {})
    if not {"max-size", "max-file"} <= options.keys():
        yield "its log may grow for ever"


def _contained(service: Mapping[str, Any]) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root file system can be written to"
    if service.get("cap_drop") != ["ALL"] or "cap_add" in service:
        yield "keeps capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "may gain privileges"
    if service.get("privileged") or service.get("network_mode") == "host":
        yield "is not contained at all"
    if not service["image"].startswith(OURS) and str(service.get("user", "0")).split(":")[0] in {"0", "root"}:
        yield "runs as root"
    if not _PINNED.search(service["image"]):
        yield f"its image {service['image']} is no fixed version"


def _life(service: Mapping[str, Any], *, ends: bool) -> Iterator[str]:
    if service.get("init") is not True:
        yield "has no init"
    if service.get("restart") != ("no" if ends else "unless-stopped"):
        yield "ends for good when it should not, or never when it should"
    if "stop_grace_period" not in service:
        yield "is killed after 10 s"
    check = service.get("healthcheck", {})
    if not ends and (check.get("disable") or not ("test" in check or service["image"].startswith(OURS))):
        yield "has no health check"


def _ports(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    for port in service.get("ports", []):
        if name not in PUBLISHED or not str(port).startswith(PUBLISHED[name]):
            yield f"publishes {port}"


def _mounts(service: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for mount in service.get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith(".") and not (folder / source).exists():
            yield f"mounts {source}, which is not there"
        if source.startswith((".", "/")) and not rest.endswith(":ro"):
            yield f"may write to {source}"


def _secrets(service: Mapping[str, Any]) -> Iterator[str]:
    for name, value in service.get("environment", {}).items():
        if _SECRET.search(name) and not _REQUIRED.fullmatch(str(value)):
            yield f"{name} is not taken from .env, or may be empty"


def _networks(composed: Mapping[str, Any]) -> Iterator[str]:
    networks = composed.get("networks", {})
    open_ones = {name for name, how in networks.items() if not (how or {}).get("internal")}
    for name, service in composed["services"].items():
        joined = set(service.get("networks", []))
        if not joined <= networks.keys() or not joined:
            yield f"{name}: joins no network of this file"
        if "ports" not in service and name not in {"collector", "reports"} and joined & open_ones:
            yield f"{name}: is on a network that reaches out"
