"""Identifiers: what names a person, how it is written, and its keyed id.

An identifier is text with a kind in front: ``email:ann@example.org``, ``user:42``, ``crm:hubspot:901``. All services
write it alike, because all of them meet it: the collector in forms, identity in events, the attributor in deals.
"""

import hashlib
import hmac
import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

import idna

from schemas.keyed_uuid import uuid_of

BLOCKED = frozenset(
    {"", "null", "undefined", "none", "nan", "anonymous", "guest", "true", "false", "id", "[object object]", "-1"}
)
"""Values that programs send instead of an identifier when they have none; compared in lower case."""

LONGEST = 512
"""Characters of the longest identifier; RFC 5321 allows 320 for an e-mail address."""

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


def is_blocked(value: str) -> bool:
    """Whether this is a stand-in for a missing value, bare or in quotes, in any case."""
    bare = value.strip().lower()
    while len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1].strip()
    return bare in BLOCKED or not bare.strip("0-")


def email_identifier(raw: object) -> str | None:
    """``email:`` and the address in one spelling, or None when it is no address.

    Trimmed, Unicode NFC, lower case, the domain in IDNA's ASCII form. Dots and plus tags stay: they are other
    mailboxes at most providers.
    """
    if not isinstance(raw, str) or is_blocked(raw):
        return None
    address = unicodedata.normalize("NFC", raw.strip().lower())
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or len(address) > LONGEST or _UNPRINTABLE.search(address):
        return None
    return f"email:{local}@{_ascii_domain(domain)}"


def user_identifier(raw: object) -> str | None:
    """``user:`` and the site's own user id, trimmed and in its case, or None; a JSON number is its decimal string."""
    value = _plain_id(raw)
    return None if value is None else f"user:{value}"


def contact_identifier(provider: str, raw: object) -> str | None:
    """``crm:``, the CRM and its contact id, or None; a JSON number is its decimal string."""
    value = _plain_id(raw)
    return None if value is None else f"crm:{provider}:{value}"


def parse_identifier(text: str) -> str | None:
    """An identifier that someone wrote out with its kind, normalised; None when it is none."""
    kind, _, value = text.strip().partition(":")
    match kind.strip().lower():
        case "email":
            return email_identifier(value)
        case "user":
            return user_identifier(value)
        case "crm":
            provider, _, contact_id = value.partition(":")
            return contact_identifier(provider, contact_id) if provider else None
        case _:
            return None


def identifier_id(identifier: str, key: str) -> UUID:
    """The keyed id of an identifier: the first 16 bytes of HMAC-SHA256 (RFC 2104) under `key`.

    Without the key it tells nothing about the person, so it may stand where the value must not.
    """
    keyed = _keyed(key).copy()
    keyed.update(identifier.encode())
    return uuid_of(keyed.digest())


@lru_cache(maxsize=8)
def _keyed(key: str) -> hmac.HMAC:
    """What has taken in the key alone: to go on from a copy of it takes two thirds of the time."""
    return hmac.new(key.encode(), digestmod=hashlib.sha256)


def _plain_id(raw: object) -> str | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    text = f"{Decimal(repr(raw)):f}".removesuffix(".0") if isinstance(raw, float) else str(raw)
    value = unicodedata.normalize("NFC", text.strip())
    return None if is_blocked(value) or len(value) > LONGEST or "\x00" in value else value


def _ascii_domain(domain: str) -> str:
    """IDNA 2008 with the mapping of UTS 46; a name that IDNA refuses stays as it is."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except idna.IDNAError:
        return domain
