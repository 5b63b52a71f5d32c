import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from collector.intake import take
from collector.keys import Sender
from collector.refusal import RefusedError
from collector.webhook import open_webhook, verify
from tests.sending import logged, make_request

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DEAL = {"deal_id": "1001", "stage": "won", "amount": "5000.00", "currency": "EUR", "contacts": []}
BODY = json.dumps({"type": "deal.updated", "timestamp": "2026-03-20T16:30:00Z", "data": DEAL}).encode()


def signature(body: bytes, webhook_id: str, timestamp: str, secret: str = SECRET) -> str:
    """The scheme v1 as the standard describes it, written down apart from the library."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def verdict(body: bytes = BODY, *, sign: str | None = None, age: float = 0, **changes: Any) -> str:
    """`verified`, or the code of the refusal."""
    timestamp = str(int(time.time() - age))
    headers = {
        b"webhook-id": b"msg_1",
        b"webhook-timestamp": timestamp.encode(),
        b"webhook-signature": (sign if sign is not None else signature(BODY, "msg_1", timestamp)).encode("latin-1"),
    }
    headers |= {name.replace("_", "-").encode(): value for name, value in changes.items()}
    try:
        verify(Webhook(SECRET), body, {name: value for name, value in headers.items() if value is not None})
    except RefusedError as refused:
        return refused.reason.name
    return "verified"


def test_the_vector_of_the_standard_is_what_we_compute():
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330") == expected


def test_what_the_holder_of_the_secret_signed_is_verified():
    now = str(int(time.time()))
    right = signature(BODY, "msg_1", now)
    assert verdict() == "verified"
    assert verdict(sign=f"v2,abc v1a,abc {right}", webhook_timestamp=now.encode()) == "verified"
    assert verdict(sign=f"{signature(b'', 'x', now)} {right}", webhook_timestamp=now.encode()) == "verified"
    for broken in ("v1,bad", "junk", "v1,", ",", "v1a,???"):
        assert verdict(sign=f"{broken} {right}", webhook_timestamp=now.encode()) == "verified"
    assert verdict(age=290) == verdict(age=-290) == "verified"


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"body": BODY.replace(b"5000.00", b"9000.00")},
        {"body": b"\xff"},
        {"age": 310},
        {"age": -310},
        {"webhook_id": b"msg_2"},
        {"webhook_id": None},
        {"webhook_timestamp": None},
        {"webhook_timestamp": b"yesterday"},
        {"webhook_timestamp": b"nan"},
        {"webhook_timestamp": b"1e300"},
        {"webhook_signature": None},
        {"sign": ""},
        {"sign": "v1"},
        {"sign": "v1,"},
        {"sign": "v1,!!"},
        {"sign": "v1,\u00e4"},
        {"sign": "no comma at all"},
        {"sign": ",".join(["v1"] * 9)},
        {"sign": signature(BODY, "msg_1", str(int(time.time())), "whsec_" + base64.b64encode(b"another").decode())},
    ],
    ids=range(20),
)
def test_everything_else_is_refused_before_it_is_read(change):
    assert verdict(**change) == "signature_wrong"


def deal_in(body: Any, webhook_id: str = "msg_1") -> dict[str, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    taken = take(open_webhook(content, webhook_id), make_request(sender=Sender.admin), None)
    assert not taken.rejected, taken.rejected
    [event] = logged(taken)
    return event


def test_a_webhook_is_the_deal_with_the_webhooks_id():
    event = deal_in(BODY)
    assert (event["type"], event["event_id"], event["provider"]) == ("deal", "msg_1", "webhook")
    assert event["occurred_at"] == event["updated_at"] == "2026-03-20T16:30:00.000000Z"


def test_the_deals_own_words_go_before_the_webhooks():
    data = DEAL | {"updated_at": "2026-03-19T00:00:00Z", "provider": "erp", "type": "contact", "event_id": "mine"}
    event = deal_in({"type": "deal.updated", "timestamp": "2026-03-20T16:30:00Z", "data": data})
    assert (event["type"], event["event_id"], event["provider"]) == ("deal", "msg_1", "erp")
    assert event["updated_at"] == "2026-03-19T00:00:00.000000Z"
    assert deal_in({"type": "deal.updated", "data": DEAL})["updated_at"] == "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"{}", "type_unknown"),
        (b'{"type":"deal.won","data":{}}', "type_unknown"),
        (b'{"type":["deal.updated"],"data":{}}', "type_unknown"),
        (b'{"type":"deal.updated"}', "not_an_object"),
        (b'{"type":"deal.updated","data":[]}', "not_an_object"),
    ],
)
def test_a_verified_body_that_is_no_deal_is_refused_by_name(body, reason):
    with pytest.raises(RefusedError) as caught:
        open_webhook(body, "msg_1")
    assert caught.value.reason.name == reason
