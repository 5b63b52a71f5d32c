"""Rules, runbook, dashboard and the list of metrics agree with each other and with the code."""

import re

import pytest
import yaml

from tests.monitoring import DASHBOARD, GRAFANA, PROMETHEUS, cases, expressions, named, rules, told

ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
OF_PYTHON = {
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}


def test_every_metric_that_is_asked_for_is_told_by_the_code():
    assert named() - told().keys() - OF_PYTHON == set()


def test_every_recorded_series_that_is_asked_for_is_recorded():
    recorded = {rule["record"] for rule in rules("recording.yml")}
    asked = {name for text in expressions() for name in re.findall(r"\b\w+:closedloop_\w+:\w+", text)}
    assert asked == recorded, "asked for but not recorded, or recorded for nobody"


def test_recorded_series_are_named_by_level_metric_and_operation():
    for rule in rules("recording.yml"):
        assert re.fullmatch(r"[a-z_]+:closedloop_[a-z0-9_]+:[a-z0-9_]+", rule["record"])
        level = rule["record"].partition(":")[0]
        assert set(level.split("_")) <= {"job", "code", "route", "type", "topic", "group", "instance"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_what_is_wrong_and_what_to_do(name):
    alert = ALERTS[name]
    assert name.startswith("ClosedLoop")
    assert alert["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert 10 < len(alert["annotations"]["summary"]) < 120
    assert len(alert["annotations"]["description"]) > 60


def test_every_alert_has_a_heading_in_the_runbook_and_every_heading_an_alert():
    runbook = (PROMETHEUS / "RUNBOOK.md").read_text("utf-8")
    headings = re.findall(r"^## (\w+)$", runbook, re.MULTILINE)
    assert sorted(headings) == sorted(ALERTS)
    for name, alert in ALERTS.items():
        assert alert["annotations"]["runbook_url"] == f"deploy/prometheus/RUNBOOK.md#{name.lower()}"
    assert set(re.findall(r"\(#([^)]+)\)", runbook)) <= {heading.lower() for heading in headings}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(name):
    expectations = [
        bool(test["exp_samples"])
        for case in cases()
        for test in case.get("promql_expr_test", ())
        if f'alertname="{name}"' in test["expr"]
    ]
    assert set(expectations) == {True, False}


def test_what_the_runbook_tells_to_look_at_is_on_the_dashboard():
    runbook = re.sub(r"`[^`]*`|\s+", " ", (PROMETHEUS / "RUNBOOK.md").read_text("utf-8"))
    titles = {panel["title"] for panel in DASHBOARD["panels"]} | {DASHBOARD["title"]}
    pointed_at = set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", runbook))
    assert "Answers by code" in pointed_at
    assert pointed_at <= titles


def test_every_panel_says_what_it_shows_and_where_its_figures_are_from():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert DASHBOARD["uid"] == "closedloop"
    places = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places, f"{panel['title']} lies on another panel"
        assert place["x"] + place["w"] <= 24
        places |= cells
        if panel["type"] != "row":
            assert len(panel["description"]) > 5
            assert panel["targets"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


def test_grafana_finds_the_dashboard_and_prometheus():
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/closedloop.yml").read_text())["providers"]
    services = yaml.safe_load((GRAFANA.parent / "compose.yaml").read_text())["services"]
    assert source["url"] == "http://prometheus:9090"
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"] if volume.startswith("./"))
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert "./grafana/provisioning" in mounts


def test_prometheus_scrapes_every_service_on_its_ops_port_under_its_name():
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    found = {job["job_name"]: job["dns_sd_configs"] for job in config["scrape_configs"]}
    targets = {job: [(*each["names"], each["port"]) for each in names] for job, names in found.items()}
    assert targets == {
        name: [(name, 9090 + place)] for place, name in enumerate(("collector", "identity", "attributor", "reports"))
    }
    services = yaml.safe_load((PROMETHEUS.parent / "compose.yaml").read_text())["services"]
    assert targets.keys() <= services.keys()


def test_the_readme_lists_every_metric_with_the_words_of_the_code():
    rows = re.findall(
        r"^\| `(closedloop_\w+)` \| (.+) \|$", (PROMETHEUS / "README.md").read_text("utf-8"), re.MULTILINE
    )
    listed = {name: meaning.replace("\\|", "|") for name, meaning in rows}
    assert len(rows) == len(listed)
    wrong = {name: meaning for name, meaning in told().items() if listed.get(name) != meaning}
    assert not wrong, "put into the README:\n" + "\n".join(f"| `{name}` | {wrong[name]} |" for name in sorted(wrong))
    assert listed.keys() == told().keys()


@pytest.mark.parametrize(("name", "meaning"), told().items())
def test_a_metric_has_a_name_with_its_unit_and_a_help_that_ends_a_sentence(name, meaning):
    assert re.fullmatch(r"closedloop_[a-z]+(_[a-z]+)*", name)
    assert 40 < len(meaning) < 300
    assert meaning.endswith(".")
    assert not re.search(r"_(ms|millis|kb|mb|minutes|hours)(_|$)", name), "base units"
