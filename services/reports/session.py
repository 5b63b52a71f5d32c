"""The dashboard's session: a cookie that proves, until it expires, that its holder once knew the admin token.

Nothing is stored. The value is `v1.<expiry>.<HMAC-SHA256>` (RFC 2104) under a key derived from the token, so a new
token ends every session.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

COOKIE = "closedloop_session"
LIFETIME = timedelta(hours=12)

_KEY_PURPOSE = b"closedloop dashboard session v1"


def is_token(offered: str, admin_token: str) -> bool:
    """Whether this is the admin token; takes as long for a wrong one."""
    return hmac.compare_digest(offered.encode(errors="surrogatepass"), admin_token.encode())


def issue(admin_token: str, now: datetime) -> str:
    """A cookie value that is valid for LIFETIME from `now`."""
    expiry = int((now + LIFETIME).timestamp())
    return f"v1.{expiry}.{_signature(expiry, admin_token)}"


def is_valid(cookie: str | None, admin_token: str, now: datetime) -> bool:
    """Whether `cookie` was issued under this token and has not expired."""
    version, _, rest = (cookie or "").partition(".")
    expiry, _, signature = rest.partition(".")
    if version != "v1" or not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 11 and signature.isascii()):
        return False
    return hmac.compare_digest(signature, _signature(int(expiry), admin_token)) and now < _instant(int(expiry))


def _signature(expiry: int, admin_token: str) -> str:
    key = hmac.digest(admin_token.encode(), _KEY_PURPOSE, hashlib.sha256)
    return hmac.digest(key, f"v1.{expiry}".encode(), hashlib.sha256).hex()


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
