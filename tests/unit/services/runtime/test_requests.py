"""Requests counted and timed around an application."""

import pytest

from services.runtime.requests import BUCKETS, GONE, OTHER, Requests

ROUTE = "/v1/events"


def answering(status):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"answer"})

    return app


async def hanging_up(_scope, _receive, _send):
    """The sender went away, so that there is nobody to answer."""


async def failing(_scope, _receive, _send):
    raise LookupError("a fault of the program")


async def ask(app, path=ROUTE):
    sent = []

    async def send(message):
        sent.append(message)

    requests = Requests(app, lambda scope: ROUTE if scope["path"] == ROUTE else OTHER, [ROUTE])
    try:
        await requests({"type": "http", "path": path}, None, send)
    except LookupError:
        sent.append("raised")
    return requests, sent


def samples(requests, name):
    return {
        tuple(sample.labels.values()): sample.value
        for family in requests.collect()
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.parametrize(
    ("app", "path", "counted"),
    [
        pytest.param(answering(202), ROUTE, (ROUTE, "202"), id="accepted"),
        pytest.param(answering(503), ROUTE, (ROUTE, "503"), id="shed"),
        pytest.param(answering(404), "/wp-login.php", (OTHER, "404"), id="no address of ours"),
        pytest.param(answering(404), '/"\n\\{}', (OTHER, "404"), id="a hostile address"),
        pytest.param(failing, ROUTE, (ROUTE, "500"), id="a fault"),
        pytest.param(hanging_up, ROUTE, (ROUTE, str(GONE)), id="hung up"),
    ],
)
async def test_a_request_counts_once_by_route_and_status(app, path, counted):
    requests, _ = await ask(app, path)
    counts = samples(requests, "closedloop_http_requests_total")
    assert {key for key, count in counts.items() if count} == {counted}
    assert counts[counted] == 1


async def test_the_answer_passes_unchanged_and_a_fault_goes_on_to_the_server():
    assert [message["type"] for message in (await ask(answering(202)))[1]] == [
        "http.response.start",
        "http.response.body",
    ]
    assert (await ask(failing))[1] == ["raised"]


async def test_failures_are_told_as_zero_before_the_first_so_that_no_rate_misses_it():
    requests, _ = await ask(answering(202))
    counts = samples(requests, "closedloop_http_requests_total")
    assert {key: counts[key] for key in ((ROUTE, "500"), (ROUTE, "503"))} == {(ROUTE, "500"): 0, (ROUTE, "503"): 0}


@pytest.mark.parametrize(
    ("seconds", "below"),
    [(0.0, 0), (0.001, 0), (0.0011, 1), (0.2, 7), (10.0, 12), (11.0, 13)],
)
async def test_a_request_is_in_every_bucket_that_its_time_does_not_exceed(monkeypatch, seconds, below):
    times = iter((0.0, seconds))
    monkeypatch.setattr("services.runtime.requests.perf_counter", lambda: next(times))
    requests, _ = await ask(answering(202))
    buckets = samples(requests, "closedloop_http_request_duration_seconds_bucket")
    expected = [0.0] * below + [1.0] * (len(BUCKETS) - below)
    assert [buckets[ROUTE, str(limit)] for limit in BUCKETS] == expected
    assert buckets[ROUTE, "+Inf"] == 1
    assert samples(requests, "closedloop_http_request_duration_seconds_sum")[(ROUTE,)] == seconds
