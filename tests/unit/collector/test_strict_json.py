import json
import random
from typing import Any

import pytest

from collector.refusal import RefusedError
from collector.strict_json import check, parse


def read(body: bytes) -> Any:
    value, text_is_sound = parse(body)
    check(value, text_is_sound=text_is_sound)
    return value


def reason_of(body: bytes) -> str:
    """The code under which a body is refused, by the parser or by the check that follows."""
    with pytest.raises(RefusedError) as caught:
        read(body)
    return caught.value.reason.name


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "invalid_json"),
        (b"   ", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"a":1}}', "invalid_json"),
        (b"{'a':1}", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b'{"a":01}', "invalid_json"),
        (b'{"a":+1}', "invalid_json"),
        (b'{"a":"\x01"}', "invalid_json"),
        (b'{"a":"\x00"}', "invalid_json"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_json"),
        ('{"a":1}'.encode("utf-16"), "invalid_utf8"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"a":"\xc0\x80"}', "invalid_utf8"),
        (b'{"a":NaN}', "not_finite"),
        (b'{"a":-Infinity}', "not_finite"),
        (b'{"a":1e999}', "not_finite"),
        (b'{"a":-1e999}', "not_finite"),
        (b'{"a":9007199254740992}', "number_too_large"),
        (b'{"a":-9007199254740992}', "number_too_large"),
        (b'{"a":9007199254740993.0}', "number_too_large"),
        (b'{"a":1e300}', "number_too_large"),
        (b'{"a":123456789012345678901234567890}', "number_too_large"),
        (b'{"a":' + b"9" * 5000 + b"}", "number_too_large"),
        (b'{"a":-' + b"9" * 5000 + b"}", "number_too_large"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"a":"\\udc00\\ud800"}', "lone_surrogate"),
        (b'{"\\ud800":1}', "lone_surrogate"),
        (b'{"a":"\\u0000"}', "nul_character"),
        (b'{"a\\u0000b":1}', "nul_character"),
        (b'{"a":[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]}', "too_deep"),
        (b'{"a":' * 17 + b"0" + b"}" * 17, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(body, reason):
    assert reason_of(body) == reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":9007199254740991,"b":-9007199254740991}',
        b'{"a":0.1,"b":-0.0,"c":1e-400,"d":1.5e10}',
        b'{"a":"\\ud83d\\udc5f","b":"\\\\u0000"}',
        b'{"a":[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]}',
        b'{"a":true,"b":null,"":""}',
        b' \n{"a" : [ ] }\t',
    ],
)
def test_what_can_be_kept_is_read_as_json_has_it(body):
    assert read(body) == json.loads(body)


def test_of_a_name_given_twice_the_last_counts():
    assert read(b'{"a":1,"a":2}') == {"a": 2}


def test_the_place_of_the_trouble_is_named():
    with pytest.raises(RefusedError) as caught:
        check({"properties": {"prices": [1, 2, float("nan")]}}, text_is_sound=True)
    assert caught.value.detail.startswith("properties.prices.2: ")


def test_a_name_of_half_a_character_does_not_spoil_the_answer():
    with pytest.raises(RefusedError) as caught:
        check({"properties": {"\ud800": {"deeper": float("inf")}}}, text_is_sound=True)
    assert caught.value.detail.encode()


def test_a_million_names_take_no_longer_than_their_bytes():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    names = random.Random(seed).sample(range(10**9), 30_000)
    assert len(read(json.dumps(dict.fromkeys(map(str, names), 0)).encode())) == 30_000
