"""What deploy/prometheus and deploy/grafana name, and what the code tells: for the tests that hold them together."""

import json
import re
from pathlib import Path

import yaml

from collector.counts import Counts
from services.reports.watched import families_of
from services.runtime.metrics import REGISTRY
from services.runtime.requests import OTHER, Requests

PROMETHEUS = Path(__file__).parent.parent / "deploy/prometheus"
GRAFANA = Path(__file__).parent.parent / "deploy/grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/closedloop.json").read_text("utf-8"))

METRIC = re.compile(r"(?<![\w:])(?:closedloop|process)_\w+(?![\w:])")
"""The name of a metric; those of recorded series have colons."""


def told() -> dict[str, str]:
    """The meaning of every metric of ours, by the name it has in a scrape."""

    async def answering_nothing(_scope, _receive, _send):
        pass

    requests = Requests(answering_nothing, lambda _scope: OTHER)
    families = [*Counts().collect(), *requests.collect(), *families_of(None), *REGISTRY.collect()]
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.documentation
        for family in families
        if family.name.startswith("closedloop_")
    }


def rules(file: str) -> list[dict]:
    """The rules of a file, of all its groups."""
    return [
        rule for group in yaml.safe_load((PROMETHEUS / file).read_text("utf-8"))["groups"] for rule in group["rules"]
    ]


def cases() -> list[dict]:
    """The cases in which alerts must and must not fire."""
    files = sorted((PROMETHEUS / "tests").glob("*.yml"))
    return [case for file in files for case in yaml.safe_load(file.read_text("utf-8"))["tests"]]


def expressions() -> list[str]:
    """Everything that asks Prometheus for a metric: rules, the series of their cases, the dashboard's panels."""
    asked = [rule["expr"] for file in ("recording.yml", "alerts.yml") for rule in rules(file)]
    given = [series["series"] for case in cases() for series in case.get("input_series", ())]
    shown = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [*asked, *given, *shown]


def named() -> set[str]:
    """The metrics that the expressions name; a histogram by its own name, whichever part of it is asked."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for text in expressions() for name in METRIC.findall(text)}
