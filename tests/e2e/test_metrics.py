"""What a running installation tells Prometheus: everything that alerts and dashboard ask for, and nothing that a sender chose."""

import time
from collections import defaultdict
from importlib.metadata import version

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.apart import Apart
from collector.counts import OUTCOMES
from collector.refusal import Reason
from schemas.event import EventType
from schemas.topics import READERS, TOPICS
from tests.e2e.installation import SERVICES, Installation
from tests.monitoring import named, told

PAGE = {"type": "pageview", "url": "https://shop.example/?utm_source=news", "visitor_id": "visitor-4711"}
FORM = {"type": "form", "visitor_id": "visitor-4711", "email": "ann@example.org", "consent": {"marketing": True}}
WON = {
    "type": "deal", "provider": "test", "deal_id": "d-1", "stage": "won", "amount": "100.00", "currency": "EUR",
    "closed_at": "2026-03-10", "contacts": [{"email": "ann@example.org"}],
}  # fmt: skip
HOSTILE = 'canary"}\n# TYPE canary counter\ncanary{x="'

ONLY_WHEN_IT_HAPPENS = {
    "closedloop_kafka_client_rebuilds_total",
    "closedloop_log_unavailable_total",
    "closedloop_dead_letters_total",
    "closedloop_repeats_total",
}
"""Told by name from the start, with values only after an outage or a fault."""

CLOSED = {
    "outcome": set(OUTCOMES),
    "type": {kind.value for kind in EventType},
    "reason": {reason.name for reason in Reason} | {reason.value for reason in Apart},
    "group": set(READERS),
    "topic": {topic.name for topic in TOPICS},
    "pool": {"log", "identity", "attributor", "reports"},
    "state": {"in_use", "idle"},
    "check": {"log", "postgres", "consumer", "notes"},
    "code": {"200", "202", "400", "401", "403", "404", "405", "413", "499", "500", "503"},
    "version": {version("closedloop")},
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """An installation that has taken a few events, refused some, and answered a few questions."""
    installation = Installation(tmp_path_factory.mktemp("metrics") / "data")
    installation.start()
    try:
        installation.post([PAGE | {"event_id": "p-1"}, FORM | {"event_id": "f-1"}, WON])
        send_nonsense(installation)
        installation.settle()
        installation.get("revenue")
        yield installation
    finally:
        installation.stop()


def send_nonsense(installation):
    """Events and requests that try to get their own words into the metrics."""
    admin = installation.admin
    with httpx.Client(base_url=installation.collector) as client:
        for event in ({"type": HOSTILE}, PAGE | {"visitor_id": HOSTILE, "name": HOSTILE}, {HOSTILE: HOSTILE}, 7):
            client.post("/v1/events", json=[event], headers=admin)
        for path in ("/wp-login.php", "/v1/canary", "/%22%7D%0Acanary", "/v1/events"):
            client.get(path)
        client.post("/v1/events", params={"writeKey": HOSTILE}, json=PAGE)
    with httpx.Client(base_url=installation.reports) as client:
        for path in (
            "/canary",
            "/api/v1/deals/canary-1",
            "/api/v1/deals/canary-2/credits",
            "/api/v1/revenue?by=canary",
        ):
            client.get(path, headers=admin)


def scrape(installation):
    """Each service's metrics, as Prometheus reads them: text by service."""
    ops = int(installation.environment["CLOSEDLOOP_OPS_PORT"])
    return {
        service: httpx.get(f"http://127.0.0.1:{ops + place}/metrics", timeout=10).text
        for place, service in enumerate(SERVICES)
    }


def samples(texts):
    """All samples of all services, by metric; a histogram's parts by the histogram."""
    found = defaultdict(list)
    for service, text in texts.items():
        for family in text_string_to_metric_families(text):
            name = family.name + ("_total" if family.type == "counter" else "")
            found[name] += [(service, sample) for sample in family.samples]
    return found


@pytest.fixture(scope="module")
def told_now(installation):
    """The samples once the watcher has looked."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = samples(scrape(installation))
        if found["closedloop_watched_timestamp_seconds"]:
            return found
        time.sleep(0.5)
    raise AssertionError("the watcher has not looked in a minute")


def value(found, name, service, **labels):
    return sum(
        sample.value
        for told_by, sample in found[name]
        if told_by == service
        and labels.items() <= sample.labels.items()
        and not sample.name.endswith(("_bucket", "_sum"))
    )


def test_everything_that_rules_and_dashboard_ask_for_is_told(told_now):
    with_values = {name for name, values in told_now.items() if values}
    assert named() - with_values <= ONLY_WHEN_IT_HAPPENS
    assert named() <= told_now.keys()


def test_everything_that_the_readme_lists_is_told(told_now):
    assert told().keys() <= told_now.keys()
    assert {name for name in told() if not told_now[name]} <= ONLY_WHEN_IT_HAPPENS


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_how_it_is(told_now, service):
    for name in ("closedloop_build_info", "process_resident_memory_bytes", "closedloop_loop_lag_seconds"):
        assert value(told_now, name, service) > 0, name
    assert {sample.value for told_by, sample in told_now["closedloop_check_ok"] if told_by == service} == {1}


def test_events_and_requests_are_counted_by_what_became_of_them(told_now):
    accepted, rejected = "closedloop_collector_events_accepted_total", "closedloop_collector_events_rejected_total"
    assert value(told_now, accepted, "collector", type="deal") == 1
    assert value(told_now, accepted, "collector", type="pageview") >= 1
    assert value(told_now, rejected, "collector", reason="type_unknown") == 1
    assert value(told_now, rejected, "collector", reason="not_an_object") == 1
    requests = "closedloop_http_requests_total"
    assert value(told_now, requests, "collector", route="/v1/events", code="202") >= 1
    assert value(told_now, requests, "collector", route="other", code="404") == 3
    assert value(told_now, requests, "reports", route="/api/v1/revenue", code="200") == 1
    assert value(told_now, requests, "reports", route="/api/v1/deals/{address:path}/credits", code="404") == 1


def test_at_rest_nobody_is_behind_and_the_ledger_balances(installation):
    deadline = time.monotonic() + 60
    figures = ("lag_records", "lag_seconds", "notes", "notes_failing", "dead_letters_kept", "ledger_unbalanced_deals")
    while time.monotonic() < deadline:  # the last look may be older than the last event
        found = samples(scrape(installation))
        behind = {figure: value(found, f"closedloop_{figure}", "reports") for figure in figures}
        if not any(behind.values()):
            break
        time.sleep(1)
    assert behind == dict.fromkeys(figures, 0)
    assert value(found, "closedloop_consumers", "reports", group="identity") == 1
    assert value(found, "closedloop_partitions_held", "identity") == sum(topic.partitions for topic in TOPICS)


def test_no_label_holds_what_a_sender_or_reader_sent(told_now):
    ours = [sample for name, values in told_now.items() if name.startswith("closedloop_") for _, sample in values]
    for sample in ours:
        for label, text in sample.labels.items():
            assert "canary" not in text
            if label in CLOSED:
                assert text in CLOSED[label], f"{sample.name} {label}={text}"
            else:
                assert label in {"route", "le", "cause", "client"}, f"{sample.name} has a label of its own, {label}"


def test_more_nonsense_makes_no_more_series(installation, told_now):
    def series():
        found = samples(scrape(installation))
        return {(name, tuple(sample.labels.items())) for name, values in found.items() for _, sample in values}

    before = series()
    for _ in range(5):
        send_nonsense(installation)
    assert {name for name, _ in series() - before} <= ONLY_WHEN_IT_HAPPENS
