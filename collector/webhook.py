"""Deals by Standard Webhooks (https://www.standardwebhooks.com): verified over the raw bytes, and only then read.

Pure but for the library's look at the clock.
"""

import base64
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from collector.intake import Envelope
from collector.refusal import Reason, RefusedError
from collector.strict_json import parse

DEAL_UPDATED = "deal.updated"
"""The one type of webhook; its `data` is the whole deal."""


def verify(webhook: Webhook, body: bytes, headers: dict[bytes, bytes]) -> None:
    """Raises RefusedError unless the body was signed with our secret at most 5 minutes ago, or ahead."""
    text = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
    # One of several signatures is enough; the library would stop at the first that is not even shaped like one.
    signatures = text.get("webhook-signature", "").split()
    text["webhook-signature"] = " ".join(filter(_is_signature, signatures))
    try:
        webhook.verify(body, text, json_parse=False)
    except (WebhookVerificationError, ValueError) as error:  # ValueError: a signature that is not even shaped like one
        raise RefusedError(Reason.signature_wrong) from error


def _is_signature(text: str) -> bool:
    """Whether this is a version, a comma and base64."""
    version, comma, signature = text.partition(",")
    try:
        return bool(version and comma and base64.b64decode(signature, validate=True))
    except ValueError:
        return False


def open_webhook(body: bytes, webhook_id: str) -> Envelope:
    """The deal in a verified body as one event, whose id is the webhook's. Raises RefusedError.

    The webhook's own time stands in for a deal's that says none, so that a second delivery is the same version.
    """
    value, text_is_sound = parse(body)
    if not isinstance(value, dict):
        raise RefusedError(Reason.invalid_json, 'the body is {"type": "deal.updated", "timestamp", "data": {deal}}')
    if value.get("type") != DEAL_UPDATED:
        raise RefusedError(Reason.type_unknown, f"type: the one type of webhook is {DEAL_UPDATED}")
    data = value.get("data")
    if not isinstance(data, dict):
        raise RefusedError(Reason.not_an_object, "data: is not the deal")
    event: dict[str, Any] = {"occurred_at": value.get("timestamp")} | data
    event |= {"type": "deal", "event_id": webhook_id}
    return Envelope([event], text_is_sound, write_key=None, sent_at=None, may_hold_large=True)
