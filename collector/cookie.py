"""The first-party visitor cookie. The server sets it: no script reaches it, and no browser cuts it to a week. Pure."""

import re
from typing import Final

from schemas.identifier import is_blocked

NAME: Final = "closedloop_visitor"

MAX_AGE: Final = 34_128_000
"""395 days, in seconds; set once and not renewed, so that a visitor is known for 13 months at most (CNIL's limit)."""

_VALUE = re.compile(rb"(?:^|;)\s*closedloop_visitor=([!#-+\--:<-\[\]-~]{1,128})\s*(?:;|$)")
"""The first of this name; the characters of a cookie-octet in RFC 6265, section 4.1.1."""


def visitor_of(header: bytes) -> str | None:
    """The visitor id in a Cookie header, None without one that counts."""
    match = _VALUE.search(header)
    if match is None:
        return None
    visitor_id = match[1].decode("ascii")
    return None if is_blocked(visitor_id) else visitor_id


def set_cookie(visitor_id: str, *, secure: bool) -> bytes:
    """The Set-Cookie header of a new visitor; `secure` where the public address is https."""
    attributes = f"Max-Age={MAX_AGE}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
    return f"{NAME}={visitor_id}; {attributes}".encode("ascii")
