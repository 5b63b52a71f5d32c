"""Whether a form was sent by a page of our own, and not by another site's in the name of whoever visits it."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """By `Sec-Fetch-Site`, which browsers send on https and localhost, else by `Origin`; programs send neither."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == headers.get("host")
