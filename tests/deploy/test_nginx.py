"""The shipped nginx configuration in front of a real collector and real reports: what passes, and what is sent away."""

import json
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from tests.deploy.web_server import WebServer
from tests.e2e.installation import Installation

CANARY = "canary@customer.example"
SENDER = "127.0.0.77"

FORM = {"type": "form", "event_id": "f", "visitor_id": "v", "occurred_at": "2026-03-02T09:00:00Z", "url": "https://a.example/?utm_source=news&utm_medium=email", "email": "ann@customer.example"}  # fmt: skip
DEAL = {"deal_id": "D-1", "stage": "won", "amount": "10.00", "currency": "EUR", "closed_at": "2026-03-20", "contacts": [{"email": "ann@customer.example"}], "updated_at": "2026-03-20T10:00:00Z"}  # fmt: skip


def raw(port: int, *pieces: bytes, pause: float = 0.0, patience: float = 10.0) -> bytes:
    """What comes back on a connection until the other side closes it; `pause` seconds after each piece."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while chunk := connection.recv(65536):
                answer += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def test_events_pass_and_reports_show_them(installation: Installation, web: WebServer) -> None:
    answer = httpx.post(f"{web.collector}/v1/events", json=[FORM], headers=installation.admin)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    installation.settle()
    found = httpx.get(f"{web.reports}/api/v1/leads", params={"email": FORM["email"]}, headers=installation.admin)
    assert len(found.json()["leads"]) == 1


def test_a_signed_webhook_passes_byte_by_byte(installation: Installation, web: WebServer) -> None:
    body = json.dumps({"type": "deal.updated", "timestamp": DEAL["updated_at"], "data": DEAL}, indent=1)
    now = datetime.now(UTC)
    signature = Webhook(installation.keys["webhook_secret"]).sign("msg-1", now, body)
    headers = {"webhook-id": "msg-1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    answer = httpx.post(f"{web.collector}/v1/crm/webhook", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    installation.settle()
    deal = httpx.get(f"{web.reports}/api/v1/deals/webhook:D-1", headers=installation.admin)
    assert deal.json()["amount"] == "10.00"


def test_the_collectors_answer_passes_with_its_cookie_and_one_word_on_origins(
    installation: Installation, web: WebServer
) -> None:
    address = f"{web.collector}/v1/events?via=loop.js&writeKey={installation.keys['write_key']}"
    page = {
        "Origin": "https://www.example.org",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    }
    first = httpx.post(address, content='{"type": "pageview", "url": "https://www.example.org/"}', headers=page)
    assert first.status_code == 202
    assert "closedloop_visitor" in first.cookies
    assert first.headers.get_list("access-control-allow-origin") == ["https://www.example.org"]
    again = httpx.post(address, content='{"type": "pageview"}', headers=page, cookies=dict(first.cookies))
    assert again.status_code == 202
    assert "set-cookie" not in again.headers, "the cookie has reached the collector"
    preflight = httpx.options(address, headers=page | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204


def test_the_script_for_pages_passes_packed_and_is_not_sent_twice(web: WebServer) -> None:
    script = httpx.get(f"{web.collector}/loop.js", headers={"Accept-Encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert "Closed Loop" in script.text
    again = httpx.get(f"{web.collector}/loop.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304


def test_a_person_signs_in_to_the_dashboard(installation: Installation, web: WebServer) -> None:
    with httpx.Client(base_url=web.reports, follow_redirects=True) as browser:
        assert browser.get("/").url.path == "/login"
        form = {"token": installation.keys["admin_token"]}
        page = browser.post("/login", data=form, headers={"Origin": web.reports})
        assert page.status_code == 200, "the origin of the form is that of the page, port and all"
        assert (page.url.path, page.headers["content-encoding"]) == ("/", "gzip")
        assert page.headers.get_list("content-security-policy")[0].startswith("default-src 'none'")
        assert browser.post("/logout", headers={"Origin": "https://elsewhere.example"}).status_code == 403


@pytest.mark.parametrize("path", ["/metrics", "/metrics?x", "//metrics", "/%6detrics", "/v1/../metrics"])
def test_metrics_are_out_of_reach(web: WebServer, path: str) -> None:
    for port in (web.ports["COLLECTOR_PORT"], web.ports["REPORTS_PORT"]):
        answer = raw(port, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 404 "), answer


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((b"POST /v1/events HTTP/1.1\r\nHost: a\r\n", b"X: 1\r\n" * 3), id="headers that never end"),
        pytest.param((b"G",), id="a first line that never ends"),
        pytest.param(
            (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",), id="a body that stops half-way"
        ),
        pytest.param(
            (b"POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",),
            id="a chunk that stops half-way",
        ),
    ],
)
def test_a_slow_sender_is_sent_away(web: WebServer, pieces: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    assert raw(web.ports["COLLECTOR_PORT"], *pieces) == b""
    assert 0.5 < time.monotonic() - began < 4


def test_headers_that_trickle_have_one_deadline_together(web: WebServer) -> None:
    began = time.monotonic()
    trickle = [b"POST /v1/events HTTP/1.1\r\n", *(f"X-{n}: 1\r\n".encode() for n in range(20))]
    assert raw(web.ports["COLLECTOR_PORT"], *trickle, pause=0.25) == b""
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "refusal"),
    [
        pytest.param("POST /v1/events", {}, 2_000_000, (413, "body_too_large"), id="2 MB of events"),
        pytest.param("POST /v1/crm/webhook", {}, 300_000, (413, "body_too_large"), id="300 KB of webhook"),
        pytest.param("POST /anything", {}, 20_000, (413, "body_too_large"), id="20 KB elsewhere"),
        pytest.param("GET /loop.js", {f"X-{n}": "1" for n in range(20_000)}, 0, (431, "headers_too_large"), id="20,000 headers"),
        pytest.param("GET /loop.js", {"X": "1" * 4_000_000}, 0, (431, "headers_too_large"), id="a header of 4 MB"),
        pytest.param(f"GET /{'a' * 20_000}", {}, 0, (414, "address_too_long"), id="an address of 20 KB"),
        pytest.param("POST /v1/events", {"Content-Length": "5", "Transfer-Encoding": "chunked"}, 0, (400, "bad_request"), id="two lengths that contradict"),
        pytest.param("POST /v1/events", {"Content-Length": "5, 6"}, 0, (400, "bad_request"), id="a length that is none"),
        pytest.param("POST /v1/events", {"Content-Length": "-1"}, 0, (400, "bad_request"), id="a negative length"),
        pytest.param("GET /a\0b", {}, 0, (400, "bad_request"), id="a NUL in the address"),
        pytest.param("GET /loop.js", {"Host": "a b"}, 0, (400, "bad_request"), id="a host that is none"),
    ],
)  # fmt: skip
def test_what_is_too_large_or_broken_is_refused_with_a_code(
    web: WebServer, request_line: str, headers: dict[str, str], body: int, refusal: tuple[int, str]
) -> None:
    status, code = refusal
    lines = {"Host": "a"} | ({"Content-Length": str(body)} if body else {}) | headers
    head = f"{request_line} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    answer = raw(web.ports["COLLECTOR_PORT"], head.encode() + b"x" * body)
    top, _, content = answer.partition(b"\r\n\r\n")
    assert top.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert json.loads(content)["code"] == code
    assert b"\r\nServer: nginx\r\n" in top, "no version"


def test_a_body_of_no_known_length_is_cut_off_too(web: WebServer) -> None:
    answer = httpx.post(f"{web.collector}/v1/events", content=(b"x" * 10_000 for _ in range(200)))
    assert answer.status_code == 413


def test_what_the_collector_refuses_keeps_the_collectors_words(web: WebServer) -> None:
    answer = httpx.post(f"{web.collector}/v1/events", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    longer = httpx.post(f"{web.collector}/v1/events", content=b"x" * 515_000)
    assert longer.json()["message"] != "send fewer events in a request", "between the two caps the collector answers"


def test_nothing_personal_stands_in_the_logs(installation: Installation, tmp_path: Path, web: WebServer) -> None:
    everywhere = {"User-Agent": CANARY, "Referer": f"https://a.example/{CANARY}", "X-Forwarded-For": "203.0.113.7"}
    with httpx.Client(transport=httpx.HTTPTransport(local_address=SENDER), headers=everywhere) as sender:
        sender.get(f"{web.collector}/loop.js?email={CANARY}")
        sender.get(f"{web.collector}/{CANARY}")
        sender.post(f"{web.collector}/v1/events", content=b"x" * 2_000_000)
        sender.post(f"{web.collector}/v1/events", json={"email": CANARY}, headers=installation.admin)
        sender.get(f"{web.reports}/api/v1/leads?email={CANARY}", headers=installation.admin)
        sender.get(f"{web.reports}/api/v1/deals/{CANARY}", headers=installation.admin)
        alone = WebServer(tmp_path / "alone", {})
        alone.start()
        sender.post(f"{alone.collector}/v1/events?email={CANARY}", content=b"{}")
        sender.get(f"{alone.reports}/api/v1/leads?email={CANARY}")
        alone.stop()
    raw(web.ports["COLLECTOR_PORT"], f"GET /{CANARY} nonsense\r\n\r\n".encode())
    written = web.output() + alone.output()
    assert [word for word in ("canary", "203.0.113.7", SENDER) if word in written] == []
    lines = [json.loads(line) for line in written.splitlines()]
    assert {"/v1/events", "/loop.js", "/api/v1/leads", "/api/v1/deals", "other"} <= {line["route"] for line in lines}
    assert {line["upstream_status"] for line in lines if line["status"] == 503} == {"502"}
