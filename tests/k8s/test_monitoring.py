"""In a cluster Prometheus scrapes the same jobs, by the same rules, as beside compose.yaml."""

import subprocess

import yaml

from tests.k8s.manifests import COMPONENT, ROOT, Cluster, labels_of, ports_of, selects

COMPONENT_FOLDER = ROOT / "k8s/components/monitoring"
PROMETHEUS = ROOT / "deploy/prometheus"


def test_the_jobs_that_the_rules_go_by_are_the_services(prod: Cluster) -> None:
    jobs = {one["job_name"] for one in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    monitor = prod.one("PodMonitor", "closedloop")["spec"]
    assert monitor["jobLabel"] == COMPONENT
    scraped = [one for one in prod.workloads if selects(monitor["selector"], labels_of(one))]
    assert {labels_of(one)[COMPONENT] for one in scraped} == jobs == prod.services.keys()
    for service in scraped:
        assert {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]} <= ports_of(service).keys()


def test_the_rules_are_those_of_prometheus() -> None:
    made = subprocess.run([COMPONENT_FOLDER / "generate"], capture_output=True, text=True, check=True).stdout
    advice = "run k8s/components/monitoring/generate > k8s/components/monitoring/rules.yaml"
    assert (COMPONENT_FOLDER / "rules.yaml").read_text() == made, advice


def test_no_file_of_rules_is_left_out(prod: Cluster) -> None:
    named = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
    groups = [group for name in named for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"]]
    shipped = [group for one in prod.all("PrometheusRule") for group in one["spec"]["groups"]]
    assert sorted(group["name"] for group in shipped) == sorted(group["name"] for group in groups)
    assert sum(len(group["rules"]) for group in shipped) == sum(len(group["rules"]) for group in groups) > 20
