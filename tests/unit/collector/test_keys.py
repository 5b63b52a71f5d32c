import base64

import pytest

from collector.keys import Keys, Query, Sender, read_query
from collector.refusal import RefusedError

KEYS = Keys("the-write-key", "the-admin-token")


def basic(user: str, *, colon: bool = True) -> bytes:
    return b"Basic " + base64.b64encode((user + ":" * colon).encode())


def sender(authorization: bytes = b"", query: bytes = b"", body_key: object = None) -> str:
    """Who sends with these keys, or the code of the refusal."""
    try:
        return KEYS.sender_of(authorization, read_query(query), body_key).name
    except RefusedError as refused:
        return refused.reason.name


@pytest.mark.parametrize(
    ("authorization", "query", "body_key", "expected"),
    [
        (b"", b"", None, "key_missing"),
        (basic("the-write-key"), b"", None, "site"),
        (basic("the-write-key", colon=False), b"", None, "site"),
        (b"basic " + base64.b64encode(b"the-write-key:password"), b"", None, "site"),
        (b"", b"writeKey=the-write-key", None, "site"),
        (b"", b"via=loop.js&writeKey=the%2Dwrite%2Dkey", None, "site"),
        (b"", b"", "the-write-key", "site"),
        (basic("the-write-key"), b"writeKey=the-write-key", "the-write-key", "site"),
        (basic("another"), b"", None, "key_wrong"),
        (b"", b"writeKey=", None, "key_wrong"),
        (b"", b"writekey=the-write-key", None, "key_missing"),
        (b"", b"writeKey=the-write-key&writeKey=another", None, "key_wrong"),
        (basic("the-write-key"), b"writeKey=another", None, "key_wrong"),
        (basic("the-write-key"), b"", "another", "key_wrong"),
        (b"", b"writeKey=the-write-key", 42, "key_wrong"),
        (b"", b"", ["the-write-key"], "key_wrong"),
        (b"Basic !!!", b"", None, "key_wrong"),
        (b"Digest the-write-key", b"", None, "key_wrong"),
        (b"Basic", b"", None, "key_wrong"),
        (b"Bearer the-admin-token", b"", None, "admin"),
        (b"bearer  the-admin-token ", b"", None, "admin"),
        (b"Bearer the-admin-token", b"writeKey=the-write-key", None, "admin"),
        (b"Bearer the-admin-token", b"writeKey=another", None, "key_wrong"),
        (b"Bearer the-write-key", b"", None, "token_wrong"),
        (b"Bearer another", b"writeKey=the-write-key", None, "token_wrong"),
        (b"Bearer", b"", None, "token_wrong"),
        (basic("the-admin-token"), b"", None, "key_wrong"),
        (b"", b"writeKey=the-admin-token", None, "key_wrong"),
        (b"Bearer \xff\xfe", b"", None, "token_wrong"),
        (b"", b"", "schl\u00fcssel", "key_wrong"),
    ],
)
def test_every_key_that_is_sent_must_be_right(authorization, query, body_key, expected):
    assert sender(authorization, query, body_key) == expected


def test_keys_that_are_not_set_let_nobody_in():
    keys = Keys("", "")
    for authorization, query in ((b"Bearer ", b""), (basic(""), b""), (b"", b"writeKey=")):
        with pytest.raises(RefusedError):
            keys.sender_of(authorization, read_query(query), None)


def test_a_query_tells_the_tracker_from_others():
    assert read_query(b"via=loop.js&writeKey=k") == Query(("k",), "loop.js")
    assert read_query(b"") == Query((), "")
    assert read_query(b"writeKey=%ff&&&=&via") == Query(("\ufffd",), "")


def test_the_kinds_of_senders_are_two():
    assert {kind.name for kind in Sender} == {"site", "admin"}
