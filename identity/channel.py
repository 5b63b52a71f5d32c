"""Where a hit came from: one pure function from its url and referrer to channel, source, campaign and click ids.

UTM parameters beat click ids, click ids beat the referrer. The raw url and referrer stay on the event, so that history
can be classified again when the rules or lists change.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from identity.channel_group import INTERNAL, channel_of
from identity.hosts import Host, host_and_path, host_name, parents, without_www
from identity.lists import Listing, find_address, find_source, is_referral_exclusion
from schemas.click_ids import CLICK_IDS, parameter_name
from schemas.visit import DIRECT, Source

NOT_SET: Final = "(not set)"
_REFERRAL: Final = "referral"
_PAID: Final = "cpc"
_FIELDS: Final = ("source", "medium", "campaign", "content", "term")
# GA4's other four fill no field of ours, yet a link with one of them was tagged: its visitor did not come directly.
_OTHER_FIELDS: Final = ("id", "source_platform", "creative_format", "marketing_tactic")
_UTM: Final = frozenset(f"utm_{field}" for field in _FIELDS + _OTHER_FIELDS)
_WORTH: Final = {name: rank for rank, name in enumerate(CLICK_IDS)}


class Arrival(NamedTuple):
    """What the visit rules need to know of one hit."""

    source: Source
    """The channel is one of GA4's, or `Internal`, with the source and medium of Direct."""
    own: bool
    """The source is neither direct nor internal."""
    internal: bool
    """The referrer is internal, whatever the url says."""
    only_referrer: bool
    """The url has no UTM parameter and no paid click id: all that the source can come from is the referrer."""
    click_ids: tuple[tuple[str, str], ...] = ()
    """Each click id in the url as (name in `CLICK_IDS`, value), the one that counts most first."""


_FROM_NOWHERE: Final = Arrival(DIRECT, own=False, internal=False, only_referrer=True)
_FROM_INSIDE: Final = Arrival(DIRECT._replace(channel=INTERNAL), own=False, internal=True, only_referrer=True)


def classify(url: str | None, referrer: str | None, own_domains: Sequence[str] = ()) -> dict[str, str | None]:
    """Return where a hit came from, as JSON: the fields of its source, `click_id` and `click_id_type`; see `arrive`."""
    arrival = arrive(url, referrer, own_domains)
    click_id_type, click_id = arrival.click_ids[0] if arrival.click_ids else (None, None)
    return {**arrival.source._asdict(), "click_id": click_id, "click_id_type": click_id_type}


def arrive(url: str | None, referrer: str | None, own_domains: Sequence[str] = ()) -> Arrival:
    """Return where a hit came from and what the visit rules need to know of it.

    No text is refused: what cannot be read as a host or a parameter is none. A relative url still has parameters.
    A referrer is internal on the page's site, on an own domain (a host with all below it) or on the list of payment
    and sign-on hosts.
    """
    utm, click_ids = _parameters(url) if url and "?" in url else ((), ())
    referring, path = host_and_path(referrer)
    internal = referring is not None and _is_internal(referring, host_and_path(url)[0], own_domains)
    external = None if referring is None or internal else _referring(referring, path)
    if not utm and not click_ids and external is None:
        return _FROM_INSIDE if internal else _FROM_NOWHERE
    arrival = _sent_by(utm, tuple([name for name, _ in click_ids]), external, internal=internal)
    return arrival._replace(click_ids=click_ids) if click_ids else arrival


@lru_cache(maxsize=512)
def _sent_by(
    parameters: tuple[tuple[str, str], ...], click_ids: tuple[str, ...], external: Listing | None, *, internal: bool
) -> Arrival:
    """Return an arrival without its click ids; they are here by their names alone, as their values never repeat.

    Few campaigns bring most hits, so it is remembered for those that came last.
    """
    utm = dict(parameters)
    paid_by = next((CLICK_IDS[name].platform for name in click_ids if CLICK_IDS[name].paid), None)
    if utm:
        found = _tagged(utm, click_ids, external)
    elif paid_by:
        found = Listing(external.source if external and external.medium != _REFERRAL else paid_by, _PAID)
    else:
        found = external or Listing(DIRECT.source, DIRECT.medium)
    only_referrer = not utm and paid_by is None
    campaign = utm.get("utm_campaign")
    channel = INTERNAL if internal and only_referrer else channel_of(found.source, found.medium, campaign)
    return Arrival(
        Source(channel, found.source, found.medium, campaign, utm.get("utm_content"), utm.get("utm_term")),
        own=channel not in {DIRECT.channel, INTERNAL},
        internal=internal,
        only_referrer=only_referrer,
    )


def offline_source(channel: str | None, source: str | None, medium: str | None, campaign: str | None) -> Source:
    """Return the source of an offline touch or of spend, as its sender says; a channel that he leaves out follows."""
    utm = {"utm_source": (source or "").strip(), "utm_medium": (medium or "").strip()}
    found = _tagged(utm, (), None)
    campaign = (campaign or "").strip() or None
    named = (channel or "").strip() or channel_of(found.source, found.medium, campaign)
    return Source(named, found.source, found.medium, campaign)


def _parameters(url: str) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return a url's UTM parameters and its click ids, the most telling click id first."""
    utm: dict[str, str] = {}
    click_ids: dict[str, str] = {}
    for piece in url.partition("#")[0].partition("?")[2].split("&"):
        raw_name, _, raw_value = piece.partition("=")
        name = parameter_name(raw_name)
        known = utm if name in _UTM else click_ids if name in CLICK_IDS else None
        if known is not None and name not in known and (value := _value(raw_value)):
            known[name] = value
    return tuple(utm.items()), tuple(sorted(click_ids.items(), key=lambda item: _WORTH[item[0]]))


def _value(raw: str) -> str:
    # An encoded NUL would be refused by Postgres; it becomes what a broken encoding becomes.
    text = unquote_plus(raw) if "%" in raw or "+" in raw else raw
    return text.replace("\0", "\ufffd").strip()


def _tagged(utm: dict[str, str], click_ids: tuple[str, ...], external: Listing | None) -> Listing:
    """Return source and medium of a url with UTM parameters."""
    named = utm.get("utm_source")
    if named:
        found = _in_own_words(named.lower())
    elif click_ids:
        platform = CLICK_IDS[click_ids[0]].platform
        found = find_source(platform) or Listing(platform, NOT_SET)
    else:
        found = external or Listing(NOT_SET, NOT_SET)
    medium = utm.get("utm_medium")
    if medium:
        return Listing(found.source, medium.lower())
    paying = (CLICK_IDS[name].platform for name in click_ids if CLICK_IDS[name].paid)
    is_paid = any(not named or platform == found.source for platform in paying)
    return Listing(found.source, _PAID) if is_paid else found


def _in_own_words(text: str) -> Listing:
    """Return the plain source that a UTM source means, and the medium that it has if none is given."""
    listed = find_source(text)
    if listed is not None:
        return listed
    _, dot, ending = (host_name(text) or "").rpartition(".")
    is_host = dot and (ending.isalpha() or ending.startswith("xn--"))
    return Listing(text, _REFERRAL if is_host else NOT_SET)


def _is_internal(referring: Host, page: Host | None, own_domains: Sequence[str]) -> bool:
    if page is not None and referring.site == page.site:
        return True
    return _is_own(referring.name, tuple(own_domains)) or is_referral_exclusion(referring.name)


@lru_cache(maxsize=4096)
def _is_own(name: str, domains: tuple[str, ...]) -> bool:
    own = _own_hosts(domains)
    return any(parent in own for parent in parents(name))


@lru_cache(maxsize=16)
def _own_hosts(domains: tuple[str, ...]) -> frozenset[str]:
    names = (host_name(domain.strip()) for domain in domains)
    return frozenset(without_www(name) for name in names if name)


def _referring(host: Host, path: str) -> Listing:
    return find_address(host.name, path) or Listing(without_www(host.name), _REFERRAL)
