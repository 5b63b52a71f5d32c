"""Canonical JSON, and which of several records with one id counts."""

import hashlib
import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import canonical, event_rank

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_the_fast_way_writes_what_rfc_8785_asks_for(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    # RFC 8785, 3.2.3.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    in_order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys)))) == in_order


def test_when_it_was_received_decides_nothing() -> None:
    event = {"event_id": "e", "received_at": "2026-01-01T00:00:00.000000Z", "url": "https://shop.example/"}
    assert event_rank(event) == event_rank({**event, "received_at": "2026-02-01T00:00:00.000000Z"})
    assert event_rank(event) == event_rank(dict(reversed(event.items())))
    assert event_rank(event) != event_rank({**event, "url": "https://shop.example/other"})


def test_the_rank_is_the_beginning_of_the_sha_256() -> None:
    assert (
        event_rank({"b": 1, "a": "é", "received_at": "x"}).bytes
        == hashlib.sha256('{"a":"é","b":1}'.encode()).digest()[:16]
    )
