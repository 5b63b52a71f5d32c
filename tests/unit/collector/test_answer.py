import json
import re
from pathlib import Path

import pytest

import collector
from collector.answer import answer_refused, answer_taken, cors_headers
from collector.refusal import Reason, RefusedError
from tests.sending import send

PAGE = {"type": "pageview"}
TOUCH = {"type": "touch", "email": "ann@example.org"}
LARGE = PAGE | {"title": "x" * 40_000}


@pytest.mark.parametrize(
    ("items", "status", "code"),
    [
        ([PAGE], 202, None),
        ([PAGE, TOUCH, LARGE, 1], 202, None),
        ([1], 400, "not_an_object"),
        ([TOUCH], 403, "type_needs_admin"),
        ([TOUCH, TOUCH], 403, "type_needs_admin"),
        ([LARGE], 413, "event_too_large"),
        ([TOUCH, LARGE], 400, "type_needs_admin"),
        ([LARGE, 1], 400, "event_too_large"),
    ],
)
def test_one_good_event_makes_202_and_none_the_status_of_the_refusals(items, status, code):
    taken = send(items)
    answer = answer_taken(taken)
    body = json.loads(answer.body)
    assert answer.status == status
    assert body.get("code") == code
    assert body["accepted"] + len(body["rejected"]) == len(items)
    assert (b"content-length", str(len(answer.body)).encode()) in answer.headers


def test_each_refusal_tells_index_reason_and_what_to_do():
    body = json.loads(answer_taken(send([PAGE, PAGE | {"url": 1}])).body)
    assert body == {
        "accepted": 1,
        "rejected": [{"index": 1, "reason": "invalid_url", "message": "url is a string."}],
    }


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_has_a_stable_code_a_status_and_a_hint_of_one_line(reason):
    answer = answer_refused(RefusedError(reason), retry_after=2)
    body = json.loads(answer.body)
    assert answer.status == reason.status
    assert (body["code"], body["message"]) == (reason.name, reason.hint)
    assert re.fullmatch(r"[a-z0-9_]+", reason.name)
    assert 10 < len(reason.hint) < 140
    assert (b"retry-after" in dict(answer.headers)) == (reason.status == 503)
    assert bool(body["rejected"]) == (reason.status in {400, 413})


def test_the_origin_that_asks_is_let_in_with_its_cookie():
    headers = dict(cors_headers(b"https://shop.example"))
    assert headers[b"access-control-allow-origin"] == b"https://shop.example"
    assert headers[b"access-control-allow-credentials"] == b"true"
    assert headers[b"vary"] == b"Origin"


def test_every_code_is_in_the_readme():
    told = set(re.findall(r"`([a-z0-9_]+)`", Path(collector.__file__).with_name("README.md").read_text("utf-8")))
    assert {reason.name for reason in Reason} <= told
