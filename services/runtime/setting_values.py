"""What the value of a setting may be: a type for each kind, which refuses what it is not with words for the operator.

Each says what is wrong and what a right one looks like; `settings` puts the name of the setting before it.
"""

import base64
import binascii
import re
from ipaddress import ip_network
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from schemas.credit import models_text, parse_models
from schemas.score import ScoreRules, parse_score

EMBEDDED = "embedded"
"""The broker that is none: the log is in Postgres."""

_KAFKA = re.compile(r"kafka://([^\s/:@,]+|\[[0-9a-fA-F:]+\]):\d{1,5}(,([^\s/:@,]+|\[[0-9a-fA-F:]+\]):\d{1,5})*")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{0,100}")
_HOST = re.compile(r"[^\s/:@?#]+")
_NO_ZONE = re.compile(r"localtime|Factory|posixrules|(posix|right)/.*")
"""Files beside those of the zones, which Python takes for some; Postgres does not."""
_WEB_ADDRESS = re.compile(r"https?://[^\s/@?#\"<>]+(/[^\s?#\"<>]*)?")


def _embedded_or_kafka(value: str) -> str:
    if value != EMBEDDED and not (_KAFKA.fullmatch(value) and all(map(_is_port, re.findall(r":(\d+)(?:,|$)", value)))):
        message = f"{value!r} is neither embedded nor kafka://host:port,host:port"
        raise ValueError(message)
    return value


def _is_port(text: str) -> bool:
    return 1 <= int(text) <= 65535


def _of_topic_characters(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        message = f"{value!r} cannot begin the name of a topic: letters, digits, dots, dashes, underscores, 100 at most"
        raise ValueError(message)
    return value


def _as_list(value: object) -> object:
    """A list, separated by commas or white space."""
    return tuple(value.replace(",", " ").lower().split()) if isinstance(value, str) else value


def _only_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for domain in value:
        if not _HOST.fullmatch(domain):
            message = f"{domain!r} is no host name such as shop.example.org"
            raise ValueError(message)
    return value


def _only_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for address in value:
        try:
            ip_network("0.0.0.0/0" if address == "*" else address)
        except ValueError as error:
            message = f"{address!r} is no address or network such as 10.0.0.0/8, nor * for everybody"
            raise ValueError(message) from error
    return value


def _web_address_or_nothing(value: str) -> str:
    if value and not _WEB_ADDRESS.fullmatch(value):
        message = f"{value!r} is no address such as https://collect.example.org"
        raise ValueError(message)
    return value


def _known_zone(value: str) -> str:
    try:
        is_known = bool(ZoneInfo(value)) and not _NO_ZONE.fullmatch(value)
    except (ZoneInfoNotFoundError, ValueError):
        is_known = False
    if not is_known:
        message = f"{value!r} is no IANA time zone such as Europe/Berlin"
        raise ValueError(message)
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < 16:
        raise ValueError("is shorter than 16 characters")
    return value


def _of_standard_webhooks(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    encoded = text.removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if text and not key:
        raise ValueError("is no secret of Standard Webhooks, which is whsec_ and base64")
    return value


def _of_milestones(value: str) -> str:
    return models_text(parse_models(value))


def _rules_of_json(value: object) -> object:
    return parse_score(value) if isinstance(value, str) else value


Port = Annotated[int, Field(ge=1, le=65535)]
Broker = Annotated[str, AfterValidator(_embedded_or_kafka)]
TopicPrefix = Annotated[str, AfterValidator(_of_topic_characters)]
WebAddress = Annotated[str, AfterValidator(_web_address_or_nothing)]
"""Or empty."""
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_as_list), AfterValidator(_only_hosts)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_as_list), AfterValidator(_only_networks)]
"""Addresses and networks; `*` is everybody."""
TimeZone = Annotated[str, AfterValidator(_known_zone)]
LongSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""Short secrets can be guessed: 16 characters at least, or none."""
WebhookSecret = Annotated[SecretStr, AfterValidator(_of_standard_webhooks)]
"""As Standard Webhooks writes it: base64, perhaps without its padding, perhaps after `whsec_`; or empty."""
Score = Annotated[ScoreRules, NoDecode, BeforeValidator(_rules_of_json)]
Models = Annotated[str, AfterValidator(_of_milestones)]
"""As `schemas.credit.models_text` writes them; empty without any."""
