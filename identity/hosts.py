"""Hosts of urls in one canonical spelling, and the site (registrable domain) that each belongs to."""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import idna
from publicsuffixlist import PublicSuffixList

# What stands behind an authority is a path, and browsers read a backslash as a slash (WHATWG URL, special schemes).
_URL = re.compile(r"\s*(https?|android-app):[/\\]{2}([^/\\?#]*)([^?#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:.*@)?(?:\[(?P<ipv6>.+)\]|(?P<name>[^:]*))(?::[0-9]*)?")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")

LONGEST_NAME: Final = 300
"""A host name of 253 with a port and a user: a longer text is nobody's name, and must not fill a cache."""

# The list's private part counts (one shop on github.io is not its neighbour), and an unknown ending is a suffix; both
# are the package's defaults.
_PUBLIC_SUFFIXES = PublicSuffixList()


class Host(NamedTuple):
    """A host: lower case, IDNA's ASCII form, no port, no trailing dot; `site` is what its pages share with each other.

    The site is the registrable domain by the public suffix list; for an address, `localhost`, a public suffix and an
    Android app it is the whole name.
    """

    name: str
    site: str


def host_and_path(url: str | None) -> tuple[Host | None, str]:
    """Return the host and path of an http, https or android-app url; anything else has neither: `(None, "")`."""
    match = _URL.match(url) if url else None
    if match is None:
        return None, ""
    scheme, authority, path = match.groups()
    host = _host(scheme, authority) if len(authority) <= LONGEST_NAME else None
    return (host, path) if host else (None, "")


@lru_cache(maxsize=8192)
def _host(scheme: str, authority: str) -> Host | None:
    """Return the host in `user@host:port`, or None if it is not one."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    name = _ipv6(match["ipv6"]) if match["ipv6"] else host_name(match["name"])
    if name is None:
        return None
    is_whole = len(scheme) > len("https") or match["ipv6"] or name.rpartition(".")[2].isdecimal()
    return Host(name, name if is_whole else _PUBLIC_SUFFIXES.privatesuffix(name) or name)


def host_name(text: str) -> str | None:
    """Return a host name in canonical spelling, or None if the text cannot be one."""
    name = text.lower()
    if len(name) > LONGEST_NAME:
        return None
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except UnicodeError:
            return None
    name = name.removesuffix(".")
    return name if _HOST_NAME.fullmatch(name) else None


def without_www(name: str) -> str:
    """Return the host name without its `www.`, unless nothing but an ending would be left."""
    rest = name.removeprefix("www.")
    return rest if "." in rest else name


def parents(name: str) -> Iterator[str]:
    """Yield the name itself, then each name above it: `a.b.c`, `b.c`, `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def _ipv6(text: str) -> str | None:
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return None
