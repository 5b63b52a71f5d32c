"""The demo's side of the wire, against a stand-in for the server's: what is sent, what is repeated, what is told."""

import json

import httpx
import pytest
from standardwebhooks import Webhook

from services.local import installation
from services.local.installation import Installation, InstallationError
from services.local.shop.calls import Call
from services.local.shop.history import Sender
from services.runtime.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTINGS = Settings(write_key="key", admin_token="an admin token of ours", webhook_secret=SECRET)
HIT = {"event_id": "e-1", "type": "pageview", "visitor_id": "v-1"}
DEAL = {"event_id": "e-2", "type": "deal", "deal_id": "d-1", "stage": "open", "updated_at": "2026-05-01T00:00:00Z"}
ACCEPTED = httpx.Response(202, json={"accepted": 1, "rejected": []})


class Server:
    """Answers one after the other, the last for ever; keeps the requests."""

    def __init__(self, *answers):
        self.answers, self.requests, self.told = list(answers), [], []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def installation(self):
        return Installation(httpx.AsyncClient(transport=httpx.MockTransport(self)), SETTINGS, self.told.append)

    async def deliver(self, sender, payload):
        await self.installation.deliver(Call(sender, (payload,)))


async def test_a_site_sends_batches_with_its_write_key():
    server = Server(ACCEPTED)
    await server.deliver(Sender.SITE, HIT)
    (request,) = server.requests
    assert (request.url.path, json.loads(request.content)) == ("/v1/events", [HIT])
    assert request.headers["authorization"] == "Basic a2V5Og=="  # key:


async def test_an_import_sends_deals_with_the_admin_token():
    server = Server(ACCEPTED)
    await server.deliver(Sender.IMPORT, DEAL)
    assert server.requests[0].headers["authorization"] == "Bearer an admin token of ours"


async def test_a_crm_signs_its_notice_and_names_the_event_in_its_header():
    server = Server(ACCEPTED)
    await server.deliver(Sender.WEBHOOK, DEAL)
    (request,) = server.requests
    notice = Webhook(SECRET).verify(request.content, dict(request.headers))
    assert request.headers["webhook-id"] == "e-2"
    assert notice["type"] == "deal.updated"
    assert notice["data"] == {"deal_id": "d-1", "stage": "open", "updated_at": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize(
    "passing",
    [httpx.Response(503, headers={"retry-after": "0"}), httpx.ConnectError("refused")],
    ids=["503", "no answer"],
)
async def test_an_outage_is_waited_for_with_the_same_ids_and_told(passing):
    server = Server(passing, ACCEPTED)
    await server.deliver(Sender.SITE, HIT)
    first, second = (json.loads(request.content) for request in server.requests)
    assert first == second == [HIT]
    assert server.told[0].startswith("waiting for the collector at http://")
    assert not server.told[-1]


REFUSALS = {
    "our keys are unknown": (httpx.Response(401), "does not know our keys; use the CLOSEDLOOP_DATA_DIR"),
    "a bad request": (httpx.Response(400, json={"code": "invalid_json"}), "refused with 400.*invalid_json"),
    "one of a batch": (
        httpx.Response(202, json={"accepted": 0, "rejected": [{"index": 0, "reason": "too_deep"}]}),
        "refused 1 events.*too_deep",
    ),
    "another program": (httpx.Response(200, text="<html>"), "is not Closed Loop"),
}


@pytest.mark.parametrize(("answer", "message"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_ends_the_demo_with_a_line_that_says_what_to_do(answer, message):
    server = Server(answer)
    with pytest.raises(InstallationError, match=message):
        await server.deliver(Sender.SITE, HIT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [202, 400])
async def test_a_file_is_told_which_of_its_events_were_refused_be_it_all_of_them(status):
    rejected = [{"index": 0, "reason": "invalid_date", "message": "date: is none"}]
    server = Server(httpx.Response(status, json={"accepted": int(status == 202), "rejected": rejected}))
    assert await server.installation.send([DEAL] * (2 if status == 202 else 1)) == rejected
    assert server.requests[0].headers["authorization"] == "Bearer an admin token of ours"


async def test_a_body_that_is_refused_whole_is_not_taken_for_one_refused_event():
    rejected = [{"index": 0, "reason": "body_too_large", "message": "too large"}]
    server = Server(httpx.Response(413, json={"accepted": 0, "rejected": rejected, "message": "too large"}))
    with pytest.raises(InstallationError, match="took nothing of 2 events: too large"):
        await server.installation.send([DEAL, DEAL])


async def test_who_looks_whether_anything_is_there_is_told_at_once():
    with pytest.raises(InstallationError, match=r"nothing answers at http.*start `closedloop up`"):
        await Server(httpx.ConnectError("refused")).installation.knock()


async def test_who_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(installation, "PATIENCE", 0.0)
    with pytest.raises(InstallationError, match=r"answers 503 .* what has arrived counts once"):
        await Server(httpx.Response(503)).deliver(Sender.SITE, HIT)
