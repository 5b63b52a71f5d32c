"""deploy/compose.yaml as Compose reads it: the services, and the variables of deploy/.env put into their places."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = (DEPLOY / "compose.yaml", DEPLOY / "compose.tls.yaml")

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def load(path: Path = FILES[0]) -> dict[str, Any]:
    composed: dict[str, Any] = yaml.safe_load(path.read_text())
    return composed


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced; an empty value counts as none."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"], "")
        if not given and match["kind"] == "?":
            raise KeyError(f"{match['name']}: {match['rest']}")
        return given or (match["rest"] if match["kind"] == "-" else "")

    return _VARIABLE.sub(value, text)


def variables_in(text: str) -> set[str]:
    """The names of the variables that a file takes from the environment."""
    return {match["name"] for match in _VARIABLE.finditer(text)}


def environment_of(service: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """The environment that a service's container gets."""
    return {name: filled(str(value), variables) for name, value in service.get("environment", {}).items()}


def make_env(target: Path) -> dict[str, str]:
    """What deploy/make-env makes, written to `target`."""
    subprocess.run([DEPLOY / "make-env", target], check=True, capture_output=True)
    return read_env(target)


def read_env(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
