"""A running Closed Loop as a customer's programs see it: addresses, a write key, an admin token, a webhook secret.

Whatever passes (a restart, a full disk, no network) is waited for and the same call repeated; ids make that harmless.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from standardwebhooks import Webhook

from schemas.event import EventType
from services.local.shop.calls import Call
from services.local.shop.history import Payload, Sender
from services.runtime.clock import utc_now
from services.runtime.settings import Settings

PATIENCE = 300.0
"""Seconds without any answer, or without any progress, after which it is time to give up."""

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of a service that will be back."""

Tell = Callable[[str], None]
"""Shows people what is being waited for; empty when there is nothing to wait for any more."""


class InstallationError(Exception):
    """The installation does not do what it promises, or is not there; the message says what to do."""


class Installation:
    """Sends events and asks for results. All methods raise InstallationError after `PATIENCE` in vain."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings, tell: Tell) -> None:
        self._client = client
        self._collector, self._reports = settings.collector_url, settings.reports_url
        self._write_key = settings.write_key
        self._admin = {"Authorization": f"Bearer {settings.admin_token.get_secret_value()}"}
        self._webhook = Webhook(settings.webhook_secret.get_secret_value())
        self._tell = tell

    async def knock(self) -> None:
        """Raise InstallationError when nothing answers at the collector's address: at once, not after `PATIENCE`."""
        try:
            await self._client.get(f"{self._collector}/healthz")
        except httpx.TransportError as error:
            message = f"nothing answers at {self._collector}; start `closedloop up` there and try again"
            raise InstallationError(message) from error

    async def deliver(self, call: Call) -> None:
        """Get the events accepted, all of them. Raises InstallationError when one is refused."""
        answer = await self._insist(lambda: self._post(call), "the collector", self._collector)
        if rejected := answer.get("rejected"):
            raise InstallationError(f"{self._collector} refused {len(rejected)} events, the first for {rejected[0]}")

    async def send(self, events: Sequence[Payload]) -> list[Payload]:
        """Send the events, which need the admin token; those that were refused, by `index`, with their `reason`."""
        answer = await self._insist(
            lambda: self._client.post(f"{self._collector}/v1/events", json=list(events), headers=self._admin),
            "the collector",
            self._collector,
        )
        rejected: list[Payload] = answer["rejected"]
        if answer["accepted"] + len(rejected) != len(events):
            raise InstallationError(f"{self._collector} took nothing of {len(events)} events: {answer.get('message')}")
        return rejected

    async def status(self) -> Payload:
        """The answer of `status`."""
        return await self._get("status")

    async def credits(self, deal: str, model: str) -> list[Payload]:
        """The credits of a deal, addressed as `provider:deal_id`, in the order of its journey."""
        answer = await self._get(f"deals/{deal}/credits?model={model}")
        return list(answer["credits"])

    async def revenue(self, model: str, currency: str) -> Payload:
        """Revenue by channel over all time."""
        return await self._get(f"revenue?model={model}&by=channel&currency={currency}")

    async def _get(self, path: str) -> Payload:
        address = f"{self._reports}/api/v1/{path}"
        return await self._insist(lambda: self._client.get(address, headers=self._admin), "the reports", self._reports)

    def _post(self, call: Call) -> Awaitable[httpx.Response]:
        match call.sender:
            case Sender.SITE:
                key = httpx.BasicAuth(self._write_key, "")
                return self._client.post(f"{self._collector}/v1/events", json=list(call.payloads), auth=key)
            case Sender.IMPORT:
                return self._client.post(f"{self._collector}/v1/events", json=list(call.payloads), headers=self._admin)
            case Sender.WEBHOOK:
                return self._notify(call.payloads[0])

    def _notify(self, deal: Payload) -> Awaitable[httpx.Response]:
        """A notice by Standard Webhooks; signed anew for every attempt, because signatures grow old."""
        assert deal["type"] == EventType.deal
        data = {name: value for name, value in deal.items() if name not in {"event_id", "type"}}
        body = json.dumps({"type": "deal.updated", "timestamp": deal["updated_at"], "data": data})
        now = utc_now()
        headers = {
            "content-type": "application/json",
            "webhook-id": deal["event_id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(deal["event_id"], now, body),
        }
        return self._client.post(f"{self._collector}/v1/crm/webhook", content=body, headers=headers)

    async def _insist(self, attempt: Callable[[], Awaitable[httpx.Response]], service: str, address: str) -> Payload:
        """The JSON of an answer of 2xx, or of one that refuses every event by itself, attempted until there is one."""
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + PATIENCE, 0.2
        while True:
            problem = "does not answer"
            try:
                response = await attempt()
            except httpx.TransportError:
                pass
            else:
                if response.is_success or _is_about_events(response):
                    self._tell("")
                    return _object(response)
                if response.status_code not in _PASSING:
                    raise InstallationError(_refusal(response, address))
                problem = f"answers {response.status_code}"
                pause = max(pause, _retry_after(response))
            if clock() > deadline:
                hint = "start it again and repeat the command: what has arrived counts once"
                raise InstallationError(f"{address} {problem} for {PATIENCE:.0f} seconds; {hint}")
            self._tell(f"waiting for {service} at {address}, which {problem}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)


@asynccontextmanager
async def connect(settings: Settings, tell: Tell) -> AsyncIterator[Installation]:
    """The installation of these settings, be it there already or not."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        yield Installation(client, settings, tell)


def _is_about_events(response: httpx.Response) -> bool:
    """Whether the collector took the request and none of its events; it says for each why."""
    return response.status_code in {400, 413} and bool(_object(response).get("rejected"))


def _object(response: httpx.Response) -> Payload:
    try:
        answer: Any = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise InstallationError(f"{response.url} is not Closed Loop: its answer is no JSON object")
    return answer


def _refusal(response: httpx.Response, address: str) -> str:
    if response.status_code == 401:
        return f"{address} does not know our keys; use the CLOSEDLOOP_DATA_DIR of the `closedloop up` that runs there"
    return f"{response.url} refused with {response.status_code}: {response.text[:500]}"


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait; 0 when it says nothing, or a date."""
    value = response.headers.get("retry-after", "")
    return min(float(value), 30.0) if value.isdecimal() else 0.0
