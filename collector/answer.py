"""What the collector answers: status, body and headers. Pure."""

from typing import Any, Final, NamedTuple

import orjson

from collector.intake import Taken
from collector.refusal import Reason, RefusedError

Headers = list[tuple[bytes, bytes]]

_JSON: Final = (b"content-type", b"application/json")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_BODY_UNREAD: Final = frozenset({Reason.body_timeout, Reason.body_too_large, Reason.overloaded})
"""Of these the body may not be read to its end, so the connection cannot be used again."""

PREFLIGHT_HEADERS: Final[Headers] = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
    (b"access-control-max-age", b"86400"),
    (b"allow", b"OPTIONS, POST"),
]


class Answer(NamedTuple):
    """An HTTP response. `outcome` is its label in the metrics: `accepted`, or the code of a reason."""

    status: int
    body: bytes
    headers: Headers
    outcome: str


def answer_taken(taken: Taken) -> Answer:
    """202 when at least one event was accepted; without any the status of the refusals, 400 when they differ."""
    rejected = [
        {"index": rejection.index, "reason": rejection.reason.name, "message": rejection.detail}
        for rejection in taken.rejected
    ]
    body: dict[str, Any] = {"accepted": taken.accepted, "rejected": rejected}
    if taken.accepted:
        return _answer(202, body, "accepted")
    first = taken.rejected[0]
    statuses = {rejection.reason.status for rejection in taken.rejected}
    body |= {"code": first.reason.name, "message": first.detail}
    return _answer(statuses.pop() if len(statuses) == 1 else 400, body, first.reason.name)


def answer_refused(refused: RefusedError, retry_after: int) -> Answer:
    """The answer for a request that was refused as a whole; `retry_after` in seconds, where trying again helps.

    What is wrong with the body stands as its event 0 too, so that a sender need look in one place only.
    """
    reason = refused.reason
    about_body = reason.status in {400, 413}
    rejected = [{"index": 0, "reason": reason.name, "message": refused.detail}] if about_body else []
    body = {"accepted": 0, "rejected": rejected, "code": reason.name, "message": refused.detail}
    answer = _answer(reason.status, body, reason.name)
    if reason in _BODY_UNREAD:
        answer.headers.append((b"connection", b"close"))
    if reason.status == 503:
        answer.headers.append((b"retry-after", b"%d" % retry_after))
    if reason.status == 405:
        answer.headers.append((b"allow", b"OPTIONS, POST"))
    return answer


def answer_preflight() -> Answer:
    """The answer to a browser that asks whether it may send (Fetch standard, CORS-preflight request)."""
    return Answer(204, b"", list(PREFLIGHT_HEADERS), "preflight")


def cors_headers(origin: bytes) -> Headers:
    """Any site may send with the public write key; with its cookie only under its own domain (SameSite)."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
        (b"vary", b"Origin"),
    ]


def _answer(status: int, body: dict[str, Any], outcome: str) -> Answer:
    content = orjson.dumps(body)
    return Answer(status, content, [_JSON, _NOSNIFF, (b"content-length", b"%d" % len(content))], outcome)
