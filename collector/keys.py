"""Who may send what: the public write key, and the admin token that alone may move money and people. Pure."""

import base64
import binascii
from enum import Enum
from functools import lru_cache
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import parse_qsl

from collector.refusal import Reason, RefusedError


class Sender(Enum):
    """Whose request it is."""

    site = "the write key, which stands in every page"
    admin = "the admin token"


class Query(NamedTuple):
    """What of a request's query string matters here."""

    write_keys: tuple[str, ...]
    via: str
    """`loop.js` in the calls of our tracker."""


@lru_cache(maxsize=1024)
def read_query(query: bytes) -> Query:
    """The keys in a query string; cached, because a site's pages all send the same one."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    keys = tuple(value for name, value in pairs if name == "writeKey")
    return Query(keys, next((value for name, value in pairs if name == "via"), ""))


class Keys:
    """The keys of the settings; an empty one fits nothing."""

    def __init__(self, write_key: str, admin_token: str) -> None:
        self._write_key = write_key.encode()
        self._admin_token = admin_token.encode()

    def sender_of(self, authorization: bytes, query: Query, body_key: object) -> Sender:
        """Who sends this. `authorization` is the header's value, `body_key` what stood as writeKey in the body or None.

        Every key that was sent must be right, so two that differ are refused. Raises RefusedError.
        """
        scheme, _, credentials = authorization.partition(b" ")
        given = [key.encode() for key in query.write_keys]
        if body_key is not None:
            given.append(body_key.encode() if isinstance(body_key, str) else b"")
        bearer = scheme.lower() == b"bearer"
        if scheme and not bearer:
            given.append(_basic_user(scheme, credentials))
        if not all(_equal(key, self._write_key) for key in given):
            raise RefusedError(Reason.key_wrong)
        if bearer:
            if not _equal(credentials.strip(), self._admin_token):
                raise RefusedError(Reason.token_wrong)
            return Sender.admin
        if not given:
            raise RefusedError(Reason.key_missing)
        return Sender.site


def _basic_user(scheme: bytes, credentials: bytes) -> bytes:
    """The user name of Basic credentials (RFC 7617); some SDKs leave out the colon and the empty password."""
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0]
    except binascii.Error:
        return b""


def _equal(given: bytes, wanted: bytes) -> bool:
    """Compared in a time that tells nothing about `wanted`."""
    return bool(wanted) and compare_digest(given, wanted)
