"""The shipped nginx configuration and the applications behind it: what they are told, and what happens when they fail."""

import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.deploy.application import Application
from tests.deploy.composed import DEPLOY
from tests.deploy.web_server import WebServer
from tests.ports import free_ports

STRANGER = "127.0.0.77"
Serve = Callable[..., WebServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts nginx with the shipped configuration, and `more` of an operator: `serve(tls=False, more="", **variables)`."""
    with ExitStack() as stack:

        def start(*, tls: bool = False, more: str = "", **variables: str) -> WebServer:
            web = WebServer(tmp_path / "nginx", variables, tls=tls)
            stack.callback(web.stop)
            (tmp_path / "nginx" / "conf.d" / "more.conf").write_text(more)
            web.start()
            return web

        yield start


def get(address: str, sender: str = STRANGER, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=sender)) as client:
        return client.get(address, headers=named)


def test_the_application_is_told_the_senders_true_address(serve: Serve) -> None:
    with Application() as application:
        web = serve(COLLECTOR=application.address)
        told = get(web.collector, X_Forwarded_For="8.8.8.8", X_Real_IP="8.8.8.8", Forwarded="for=8.8.8.8").json()
        assert told["x-forwarded-for"] == STRANGER
        assert told["host"] == f"127.0.0.1:{web.ports['COLLECTOR_PORT']}"
        assert [name for name in ("x-real-ip", "forwarded") if name in told] == []
        assert len(told["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("sender", "address", "scheme"),
    [
        pytest.param("127.0.0.5", "203.0.113.9", "https", id="the trusted proxy"),
        pytest.param(STRANGER, STRANGER, "http", id="anybody else"),
    ],
)
def test_only_a_trusted_proxy_says_who_sends_and_how(serve: Serve, sender: str, address: str, scheme: str) -> None:
    with Application() as application:
        web = serve(COLLECTOR=application.address, TRUSTED_PROXY="127.0.0.5")
        told = get(web.collector, sender, X_Forwarded_For="8.8.8.8, 203.0.113.9", X_Forwarded_Proto="https").json()
        assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == (address, scheme)


def test_while_no_application_answers_senders_are_told_when_to_come_again(serve: Serve) -> None:
    web = serve()
    for address in (web.collector, web.reports):
        answer = httpx.post(f"{address}/v1/events", content=b"{}", headers={"Origin": "https://www.example.org"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] in {"1", "2", "3"}
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get("access-control-allow-origin") is None, "reports are for no other site's pages"
    answer = httpx.post(f"{web.collector}/v1/events", content=b"{}", headers={"Origin": "https://www.example.org"})
    assert answer.headers["access-control-allow-origin"] == "https://www.example.org"
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_events_that_an_application_has_seen_are_not_sent_to_another(serve: Serve) -> None:
    with Application(hangs_up=True) as dying, Application(hangs_up=True) as other:
        web = serve(COLLECTOR=f"{dying.address}; server {other.address}")
        answer = httpx.post(f"{web.collector}/v1/events", content=b"{}")
        assert (answer.status_code, dying.requests + other.requests) == (503, 1)


def test_events_that_no_application_has_seen_go_to_the_one_that_is_there(serve: Serve) -> None:
    closed = free_ports(1)
    with Application() as application:
        web = serve(COLLECTOR=f"127.0.0.1:{closed}; server {application.address}")
        answers = [httpx.post(f"{web.collector}/v1/events", content=b"{}").status_code for _ in range(6)]
        assert (answers, application.requests) == ([200] * 6, 6)


def test_an_application_that_comes_back_is_asked_again_at_once(serve: Serve) -> None:
    port = free_ports(1)
    web = serve(COLLECTOR=f"127.0.0.1:{port}")
    assert httpx.get(web.collector).status_code == 503
    with Application(port=port):
        assert httpx.get(web.collector).status_code == 200


def test_one_address_has_a_share_of_the_connections(serve: Serve) -> None:
    with Application(seconds=1.0) as application, ThreadPoolExecutor(3) as senders:
        web = serve(COLLECTOR=application.address, CONNECTIONS_PER_ADDRESS="2")
        answers = list(senders.map(lambda _: httpx.post(f"{web.collector}/v1/events", content=b"{}"), range(3)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert [answer.json()["code"] for answer in refused] == ["too_many_requests"]
        assert "retry-after" in refused[0].headers
        assert get(web.collector).status_code == 200, "another address is not concerned"


def test_the_limit_of_rates_in_the_readme_works(serve: Serve) -> None:
    [block] = re.findall(r"```nginx\n(.*?)```", (DEPLOY / "README.md").read_text(), re.DOTALL)
    with Application() as application:
        strict = block.replace("rate=50r/s", "rate=1r/s").replace("burst=200", "burst=2")
        web = serve(COLLECTOR=application.address, more=strict)
        statuses = [httpx.get(web.collector).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]


def test_https_serves_each_by_its_name(serve: Serve, tmp_path: Path) -> None:
    with Application() as collector, Application() as reports:
        web = serve(tls=True, COLLECTOR=collector.address, REPORTS=reports.address)
        for name, application in (("collect.example.org", collector), ("reports.example.org", reports)):
            answer = over_tls(web.ports["HTTPS_PORT"], name, tmp_path / "nginx" / "tls" / "fullchain.pem")
            head, _, told = answer.partition(b"\r\n\r\n")
            assert (json.loads(told)["x-forwarded-proto"], application.requests) == ("https", 1)
            assert b"Strict-Transport-Security: max-age=31536000" in head


def test_https_knows_no_other_names(serve: Serve) -> None:
    web = serve(tls=True)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", web.ports["HTTPS_PORT"])) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="elsewhere.example")


def test_http_leads_to_https_and_keeps_the_body(serve: Serve) -> None:
    web = serve(tls=True)
    answer = httpx.post(f"http://127.0.0.1:{web.ports['HTTP_PORT']}/v1/events?a=b", content=b"{}")
    assert (answer.status_code, answer.headers["location"]) == (308, "https://127.0.0.1/v1/events?a=b")


def over_tls(port: int, name: str, certificate: Path) -> bytes:
    """The answer to GET / of the host `name`, whose certificate is checked."""
    context = ssl.create_default_context(cafile=certificate)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := secure.recv(65536):
            answer += chunk
        return answer
