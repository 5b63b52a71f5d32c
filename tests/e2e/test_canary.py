"""Nothing personal reaches a log line, a metric, a check or a list: what is planted in every field is found nowhere."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from schemas.codec import encode
from schemas.topics import DEALS, EVENTS
from services.local.run_file import running_up
from services.runtime.open_log import open_log
from tests.builders import at, deal, form, page
from tests.conftest import make_settings
from tests.e2e.installation import SERVICES, Installation

CANARY = re.compile(rb"canary|0190\D?555\D?0199|203\.0\.113\.7", re.IGNORECASE)
PHONE = "0190 5550199"
MAIL = "ann.canary@canary.example"
NAME = "Ann Canary"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("told") / "data")
    installation.start()
    yield installation
    installation.stop()


def events() -> list[dict[str, Any]]:
    """One of each kind, with a canary in every field that a sender may fill."""
    url = f"https://shop.example/canary?email={MAIL}&utm_campaign=canary&gclid=canary"
    at_a_page = {"visitor_id": "canary-visitor", "url": url, "referrer": url, "title": NAME, "canary": PHONE}
    fields = {"email": MAIL, "phone": PHONE, "message": f"call {NAME} at {PHONE}"}
    kinds = [
        {"type": "pageview"},
        {"type": "form", "form": {"id": "canary-form", "fields": fields}},
        {"type": "identify", "user_id": "canary-user", "email": MAIL, "properties": {"name": NAME}},
        {"type": "custom", "name": "canary", "properties": {"canary": {"phone": PHONE}}},
    ]
    won = {"type": "deal", "deal_id": "canary-deal", "stage": "won", "amount": "10.00", "currency": "EUR"}
    won |= {"closed_at": "2026-03-02", "created_at": "2026-03-01", "updated_at": "2026-03-02T00:00:00Z"}
    won |= {"owner": NAME, "name": f"Deal of {NAME}", "contacts": [{"email": MAIL, "phone": PHONE}]}
    sent = [{"event_id": f"canary-{n}", **at_a_page, **kind} for n, kind in enumerate(kinds)]
    return [*sent, {"event_id": "canary-won", **won}]


def refused() -> list[Any]:
    """Bodies that the collector refuses, whole or in part."""
    return [
        b'{"email": "' + MAIL.encode() + b'"',
        b"\xffcanary",
        [{"type": "canary", "event_id": "canary"}, {"type": "pageview", "url": f"canary:{MAIL}", "event_id": 7}],
        [{"type": "pageview", "event_id": "canary", "visitor_id": MAIL * 40, "occurred_at": f"{NAME} o'clock"}],
        [{"type": "deal", "deal_id": MAIL, "stage": NAME, "amount": PHONE, "currency": "canary"}],
    ]


def poison() -> list[tuple[str, bytes]]:
    """Records that no collector writes: some cannot be decoded, some not be stored."""
    bad_time = page("canary", "canary-p1", at(), title=NAME) | {"occurred_at": f"{NAME} {PHONE}"}
    return [
        (EVENTS.name, b"canary " + MAIL.encode()),
        (EVENTS.name, encode(bad_time)),
        (EVENTS.name, encode(form("canary\0visitor", "canary-p2", at(), MAIL))),
        (EVENTS.name, encode(page("canary", "canary-p3", at(), title=f"{NAME}\0"))),
        (DEALS.name, encode(deal("canary\0deal", "canary-p4", at(), owner=NAME))),
        (
            DEALS.name,
            encode(deal("canary-deal", "canary-p5", at(), contacts=[{"email": MAIL, "a": NAME}]) | {"amount": NAME}),
        ),
    ]


def test_no_canary_is_found_outside_of_the_data(up: Installation, tmp_path: Path) -> None:
    up.post(events())
    strangers = {"User-Agent": NAME, "X-Forwarded-For": "203.0.113.7", "Cookie": f"loop={MAIL}", "Referer": MAIL}
    with httpx.Client(base_url=up.collector, headers=strangers) as client:
        for body in refused():
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            client.post("/v1/events", content=content, headers=up.admin)
            client.post("/v1/events", content=content, params={"writeKey": MAIL})
        client.post("/v1/crm/webhook", content=orjson.dumps(events()[-1]), headers={"webhook-id": MAIL})
        client.get(f"/v1/{MAIL}", params={"email": MAIL})
    with httpx.Client(base_url=up.reports, headers=strangers) as client:
        for path in (f"leads?email={MAIL}", f"leads/{MAIL}", f"deals/{MAIL}/credits", f"revenue?by={MAIL}&from={NAME}"):
            client.get(f"/api/v1/{path}", headers=up.admin)
            client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {MAIL}"})
        client.post("/login", data={"token": MAIL}, headers={"Origin": up.reports})
    asyncio.run(_append(up, tmp_path))
    up.settle()
    assert len(up.command("deadletters", "list", "--json").splitlines()) >= len(poison())
    up.kill("postgres")
    up.post(events())
    up.settle()

    found = {name: CANARY.findall(text) for name, text in everything_told(up).items()}
    assert {name: canaries for name, canaries in found.items() if canaries} == {}


def test_every_line_of_a_service_is_one_json_object_that_says_when_who_and_what(up: Installation) -> None:
    up.settle()
    for service in SERVICES:
        lines = (up.data_dir / "logs" / f"{service}.log").read_bytes().splitlines()
        assert lines
        for line in lines:
            told = orjson.loads(line)
            assert told["service"] == service
            assert {"ts", "level", "logger", "message"} <= told.keys()


async def _append(up: Installation, folder: Path) -> None:
    info = running_up(up.data_dir)
    assert info is not None
    async with open_log(make_settings(info.dsn, folder)) as log:
        for topic, value in poison():
            await log.append(topic, [(b"canary", value)])


def everything_told(up: Installation) -> dict[str, bytes]:
    """What operators, log stores and Prometheus get to see."""
    time.sleep(1)  # for the last lines to be written
    told = {str(path): path.read_bytes() for path in (up.data_dir / "logs").iterdir()}
    told |= {str(path): path.read_bytes() for path in (up.data_dir / "postgres.log", up.output)}
    for command in (["deadletters", "list"], ["deadletters", "list", "--json"], ["status"], ["status", "--json"]):
        told[" ".join(command)] = up.command(*command).encode()
    for number, service in enumerate(SERVICES):
        ops = f"http://127.0.0.1:{int(up.environment['CLOSEDLOOP_OPS_PORT']) + number}"
        told |= {f"{service} {path}": httpx.get(ops + path).content for path in ("/metrics", "/readyz", "/healthz")}
    return told
