"""The hot path: POST /v1/events as raw ASGI, in front of the framework, whose routing alone would cost more.

Load, decide, store, answer: the deciding is in pure modules, this shell does the rest.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from standardwebhooks import Webhook

from collector.answer import Answer, answer_preflight, answer_refused, answer_taken, cors_headers
from collector.apart import apart_of
from collector.body import Budget, GoneError, Receive, Share, read_body, unpack
from collector.consent import refuses_by_signal
from collector.cookie import set_cookie, visitor_of
from collector.counts import Counts
from collector.intake import Taken, open_body, take
from collector.keys import Keys, Sender, read_query
from collector.refusal import Reason, RefusedError
from collector.stamp import Request, network_of, visitor_for
from collector.webhook import open_webhook, verify
from services.runtime.clock import utc_now
from services.runtime.log import Intake, Unavailable
from services.runtime.settings import Settings

TRACKER: Final = "loop.js"
"""How the calls of our tracker name themselves, as `?via=loop.js`."""

UNDER_WAY_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of requests may be under way at once."""

QUERY_BYTES: Final = 2048
"""How much of a query string is read; a key and the tracker's name are far shorter."""

Scope = Mapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Judge = Callable[[bytes, dict[bytes, bytes], Share], Taken]

_network_of = lru_cache(maxsize=4096)(network_of)


class Ingest:
    """Takes events and webhooks, and answers 2xx when the log has made them durable."""

    def __init__(self, settings: Settings, log: Intake, counts: Counts) -> None:
        """Raises ValueError when the webhook secret is not one of Standard Webhooks."""
        self._log = log
        self._counts = counts
        self._keys = Keys(settings.write_key, settings.admin_token.get_secret_value())
        self._webhook = Webhook(settings.webhook_secret.get_secret_value())
        self._visitor_for = partial(visitor_for, id_key=settings.id_key.get_secret_value().encode())
        self._zone = ZoneInfo(settings.timezone)
        self._honour_dnt = settings.honour_dnt
        self._secure = settings.collector_url.startswith("https:")
        self._budget = Budget(UNDER_WAY_BYTES)

    @property
    def bytes_under_way(self) -> int:
        """What the requests that are being answered weigh, of UNDER_WAY_BYTES."""
        return self._budget.taken

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /v1/events, and the browser's question whether it may."""
        if scope["method"] == "OPTIONS":
            await self._respond(answer_preflight(), dict(scope["headers"]), send)
            return
        await self._answer(scope, receive, send, partial(self._judge_events, scope))

    async def webhook(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /v1/crm/webhook."""
        await self._answer(scope, receive, send, self._judge_webhook)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, judge: Judge) -> None:
        headers = dict(scope["headers"])
        try:
            taken = await self._take(scope, headers, receive, judge)
            answer = answer_taken(taken)
            if taken.made_visitor and taken.new_visitor is not None and taken.kept_apart is None:
                answer.headers.append((b"set-cookie", set_cookie(taken.new_visitor, secure=self._secure)))
        except RefusedError as refused:
            answer = answer_refused(refused, retry_after=1 + secrets.randbelow(3))
        except GoneError:
            return
        await self._respond(answer, headers, send)

    async def _take(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, judge: Judge) -> Taken:
        if scope["method"] != "POST":
            raise RefusedError(Reason.method_not_allowed)
        with Share(self._budget) as share:
            taken = judge(await read_body(headers, receive, share), headers, share)
            try:
                for topic, records in taken.records.items():
                    await self._log.append(topic, records)
            except Unavailable as error:
                self._counts.shed(taken)
                raise RefusedError(Reason.log_unavailable) from error
        self._counts.took(taken)
        return taken

    def _judge_events(self, scope: Scope, body: bytes, headers: dict[bytes, bytes], share: Share) -> Taken:
        query = read_query(scope["query_string"][:QUERY_BYTES])
        envelope = open_body(unpack(body, headers, share))
        sender = self._keys.sender_of(headers.get(b"authorization", b""), query, envelope.write_key)
        by_script = query.via == TRACKER
        request = self._request_of(scope, headers, sender, by_script=by_script)
        return take(envelope, request, self._visitor_for if by_script else None)

    def _judge_webhook(self, body: bytes, headers: dict[bytes, bytes], share: Share) -> Taken:
        verify(self._webhook, body, headers)
        envelope = open_webhook(unpack(body, headers, share), headers[b"webhook-id"].decode("latin-1"))
        return take(envelope, self._admin_request(), None)

    def _request_of(self, scope: Scope, headers: dict[bytes, bytes], sender: Sender, *, by_script: bool) -> Request:
        client = scope.get("client")
        cookie = headers.get(b"cookie")
        return Request(
            sender=sender,
            received_at=utc_now(),
            zone=self._zone,
            random_id=_random_id,
            address=_network_of(client[0]) if client else None,
            cookie=visitor_of(cookie) if cookie else None,
            refused_by_signal=refuses_by_signal(headers, honour_dnt=self._honour_dnt),
            kept_apart=apart_of(headers, by_script=by_script),
        )

    def _admin_request(self) -> Request:
        """A verified webhook: a machine's, so that no visitor, consent or network is read from it."""
        return Request(Sender.admin, utc_now(), self._zone, _random_id)

    async def _respond(self, answer: Answer, headers: dict[bytes, bytes], send: Send) -> None:
        self._counts.answered(answer)
        origin = headers.get(b"origin")
        more = cors_headers(origin) if origin is not None else []
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers + more})
        await send({"type": "http.response.body", "body": answer.body})


def _random_id() -> str:
    return secrets.token_hex(16)
