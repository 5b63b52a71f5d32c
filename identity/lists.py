"""The lists of known sources: which host, path or name stands for which source, of which kind.

The rows are in `data/*.csv`; `data/README.md` says where they come from and how an address matches.
"""

import csv
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from identity.hosts import LONGEST_NAME, host_name, parents, without_www


class Listing(NamedTuple):
    """A source by its plain name, and the medium of unpaid traffic from it, which also says on which list it is."""

    source: str
    medium: str


# Looked up in this order: ChatGPT and Gemini stand on search hosts, YouTube is social too, gmail is Google's.
_LISTS: Final = (
    ("ai_assistants.csv", "ai-assistant"),
    ("video.csv", "video"),
    ("shops.csv", "shopping"),
    ("social.csv", "social"),
    ("search.csv", "organic"),
    ("mail.csv", "email"),
)
# Endings such as co.uk that stand for a country as uk does.
_SECOND_LEVEL: Final = frozenset({"com", "org", "net", "co", "it", "edu"})
# A search company's other hosts are other services (docs.google.com): a search host covers no sub-hosts, all others do.
_EXACT: Final = "organic"
_SEPARATORS: Final = str.maketrans("", "", " _-")


def find_address(name: str, path: str = "") -> Listing | None:
    """Return what a host (in canonical spelling, see `hosts.host_name`) and path are listed as.

    The first list that has it counts; within a list the longest host, then the longest path.
    """
    for prefix, listing in _addresses_at(without_www(name)):
        if not prefix or path == prefix or path.startswith(prefix + "/"):
            return listing
    return None


def find_source(text: str) -> Listing | None:
    """Return what a source in somebody's own words is listed as: its name, an alias, or one of its addresses.

    Case, blanks, `_` and `-` make no difference in a name: `Facebook Ads` is `facebookads`.
    """
    return _find_source(text.lower()) if len(text) <= LONGEST_NAME else None


@lru_cache(maxsize=4096)
def _find_source(text: str) -> Listing | None:
    named = _NAMES.get(_bare(text))
    if named is not None:
        return named
    host, slash, path = text.removeprefix("https://").removeprefix("http://").partition("/")
    name = host_name(host)
    return find_address(name, (slash + path).rstrip("/")) if name else None


@lru_cache(maxsize=4096)
def is_referral_exclusion(name: str) -> bool:
    """Tell whether a host only takes visitors through a payment or a sign-on and sends them back."""
    return any(key in _EXCLUSIONS for parent in parents(name) for key in _spellings(parent))


def _bare(text: str) -> str:
    return text.translate(_SEPARATORS)


def _spellings(name: str) -> Iterator[str]:
    """Yield a name as the lists may spell it: itself, then with `{}` for a country at its end or its start."""
    yield name
    labels = name.split(".")
    if len(labels[-1]) == len("uk"):
        country = labels[-2:] if len(labels) > 2 and labels[-2] in _SECOND_LEVEL else labels[-1:]
        yield ".".join([*labels[: -len(country)], "{}"])
    if len(labels[0]) == len("uk"):
        yield ".".join(["{}", *labels[1:]])


@lru_cache(maxsize=4096)
def _addresses_at(name: str) -> tuple[tuple[str, Listing], ...]:
    """Return every listed (path, listing) of a host, in the order in which they are to be tried."""
    found: list[tuple[str, Listing]] = []
    for medium, addresses in _ADDRESSES.items():
        for host in (name,) if medium == _EXACT else parents(name):
            rows = [row for key in _spellings(host) for row in addresses.get(key, ())]
            found += sorted(rows, key=lambda row: -len(row[0]))
    return tuple(found)


def _rows(file: str) -> list[dict[str, str]]:
    with files("identity.data").joinpath(file).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _load() -> tuple[dict[str, dict[str, list[tuple[str, Listing]]]], dict[str, Listing]]:
    """Read the lists into medium -> host -> [(path, listing)], and bare name -> listing."""
    by_medium: dict[str, dict[str, list[tuple[str, Listing]]]] = {}
    names: dict[str, Listing] = {}
    for file, medium in _LISTS:
        addresses = by_medium.setdefault(medium, {})
        for row in _rows(file):
            listing = Listing(row["source"], medium)
            host, slash, path = row["address"].partition("/")
            names.setdefault(_bare(listing.source), listing)
            if "." in host:
                addresses.setdefault(host, []).append((slash + path, listing))
            else:
                names.setdefault(host, listing)
    return by_medium, names


_ADDRESSES, _NAMES = _load()
_EXCLUSIONS = frozenset(row["address"] for row in _rows("referral_exclusions.csv"))
