"""Every setting of Closed Loop: one frozen object, read from ``CLOSEDLOOP_*`` and the keys file of the data folder.

A setting that is wrong stops the start with one line that names it; nothing is guessed.
"""

import base64
import binascii
import json
import os
import re
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.score import DEFAULT_SCORE, ScoreRules, parse_score

KEYS_FILE = "keys.json"
"""Name of the file in the data folder that keeps the keys which `up` made; readable by its owner alone."""

EMBEDDED = "embedded"
"""The broker that is none: the log is in Postgres."""

GENERATED = ("write_key", "admin_token", "id_key", "webhook_secret")
"""Settings that `up` makes when they are missing; the services on their own refuse to start without them."""

EX_CONFIG = 78
"""The exit code for a wrong setting (sysexits.h): starting again would not help."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_KAFKA = re.compile(r"kafka://([^\s/:@,]+|\[[0-9a-fA-F:]+\]):\d{1,5}(,([^\s/:@,]+|\[[0-9a-fA-F:]+\]):\d{1,5})*")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{0,100}")
_HOST = re.compile(r"[^\s/:@?#]+")
_WEB_ADDRESS = re.compile(r"https?://[^\s/@?#\"<>]+(/[^\s?#\"<>]*)?")

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """A setting is missing or wrong; the message is the one line to show the operator."""


class StartError(Exception):
    """Something else stands in the way of a start; the message is the one line to show, with what to do next."""


class Settings(BaseSettings):
    """The settings by name, without the ``CLOSEDLOOP_`` prefix; the README lists them for users."""

    model_config = SettingsConfigDict(env_prefix="CLOSEDLOOP_", frozen=True, extra="ignore", env_ignore_empty=True)

    broker: str = EMBEDDED
    kafka_prefix: str = "closedloop-"
    kafka_replicas: Annotated[int, Field(ge=0, le=9)] = 0
    kafka_ca_file: str = ""
    kafka_cert_file: str = ""
    kafka_key_file: str = ""
    kafka_tls: bool = False
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    database_url: SecretStr = SecretStr("")
    data_dir: Path = Path(".closedloop")
    host: str = "127.0.0.1"
    port: Port = 8080
    reports_port: Port = 8081
    ops_port: Annotated[int, Field(ge=1, le=65532)] = 9090
    public_url: str = ""
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.1", "::1")

    write_key: str = ""
    admin_token: SecretStr = SecretStr("")
    id_key: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")

    lookback_days: Annotated[int, Field(ge=1, le=3650)] = 90
    own_domains: Annotated[tuple[str, ...], NoDecode] = ()
    timezone: str = "UTC"
    honour_dnt: bool = False
    score: Annotated[ScoreRules, NoDecode] = DEFAULT_SCORE

    @field_validator("own_domains", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """A list, separated by commas or white space."""
        return tuple(value.replace(",", " ").lower().split()) if isinstance(value, str) else value

    @field_validator("own_domains")
    @classmethod
    def _only_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for domain in value:
            if not _HOST.fullmatch(domain):
                message = f"{domain!r} is no host name such as shop.example.org"
                raise ValueError(message)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _only_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                ip_network("0.0.0.0/0" if address == "*" else address)
            except ValueError as error:
                message = f"{address!r} is no address or network such as 10.0.0.0/8, nor * for everybody"
                raise ValueError(message) from error
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"{value!r} is no IANA time zone such as Europe/Berlin"
            raise ValueError(message) from error
        return value

    @field_validator("score", mode="before")
    @classmethod
    def _json_rules(cls, value: object) -> object:
        return parse_score(value) if isinstance(value, str) else value

    @field_validator("broker")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value != EMBEDDED and not (
            _KAFKA.fullmatch(value) and all(map(_is_port, re.findall(r":(\d+)(?:,|$)", value)))
        ):
            message = f"{value!r} is neither embedded nor kafka://host:port,host:port"
            raise ValueError(message)
        return value

    @field_validator("kafka_prefix")
    @classmethod
    def _topic_characters(cls, value: str) -> str:
        if not _TOPIC.fullmatch(value):
            message = (
                f"{value!r} cannot begin the name of a topic: letters, digits, dots, dashes, underscores, 100 at most"
            )
            raise ValueError(message)
        return value

    @field_validator("kafka_tls")
    @classmethod
    def _with_files(cls, value: bool, info: ValidationInfo) -> bool:
        """What would be ignored is refused: who names an authority does not mean to send in plain."""
        ca, certificate, key = (info.data.get(f"kafka_{name}_file") for name in ("ca", "cert", "key"))
        if not value and (ca or certificate or key):
            raise ValueError("must be true for CLOSEDLOOP_KAFKA_CA_FILE, _CERT_FILE and _KEY_FILE to be used")
        if bool(certificate) != bool(key):
            raise ValueError("needs both of CLOSEDLOOP_KAFKA_CERT_FILE and CLOSEDLOOP_KAFKA_KEY_FILE, or neither")
        return value

    @field_validator("kafka_sasl")
    @classmethod
    def _with_credentials(cls, value: str, info: ValidationInfo) -> str:
        if value and not (info.data.get("kafka_user") and _plain(info.data.get("kafka_password", ""))):
            raise ValueError("needs CLOSEDLOOP_KAFKA_USER and CLOSEDLOOP_KAFKA_PASSWORD")
        return value

    @field_validator("id_key", "admin_token")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        """Short secrets can be guessed: 16 characters at least."""
        if 0 < len(value.get_secret_value()) < 16:
            raise ValueError("is shorter than 16 characters")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _standard_secret(cls, value: SecretStr) -> SecretStr:
        """As Standard Webhooks writes it: base64, perhaps without its padding, perhaps after `whsec_`."""
        text = value.get_secret_value()
        encoded = text.removeprefix("whsec_").rstrip("=")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except binascii.Error:
            key = b""
        if text and not key:
            raise ValueError("is no secret of Standard Webhooks, which is whsec_ and base64")
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not _WEB_ADDRESS.fullmatch(value):
            message = f"{value!r} is no address such as https://collect.example.org"
            raise ValueError(message)
        return value

    @property
    def kafka_servers(self) -> tuple[str, ...]:
        """The addresses `host:port` of Kafka; none when the log is the embedded one."""
        return () if self.broker == EMBEDDED else tuple(self.broker.removeprefix("kafka://").split(","))

    @property
    def local_host(self) -> str:
        """Where this machine itself reaches what listens on `host`."""
        return _EVERYWHERE.get(self.host, self.host)

    @property
    def collector_url(self) -> str:
        """The address under which browsers reach the collector, without a slash at the end."""
        return self.public_url.rstrip("/") or _url(self.local_host, self.port)

    @property
    def reports_url(self) -> str:
        """The address of the dashboard and the reports API on this machine."""
        return _url(self.local_host, self.reports_port)

    def with_keys(self, keys: dict[str, str]) -> Self:
        """These settings with `keys` for those generated ones that are not set."""
        missing = {name: value for name, value in keys.items() if name in GENERATED and not _plain(getattr(self, name))}
        return self if not missing else type(self).model_validate(self.model_dump() | missing)

    def require(self, *names: str) -> None:
        """Raise SettingsError when one of `names` is empty."""
        for name in names:
            if not _plain(getattr(self, name)):
                advice = (
                    f"`closedloop up` makes it and keeps it in {self.data_dir / KEYS_FILE}"
                    if name in GENERATED
                    else f"No `closedloop up` runs on {self.data_dir} whose database could be used"
                )
                message = (
                    f"CLOSEDLOOP_{name.upper()} is not set. {advice}; a service alone needs it in its environment."
                )
                raise SettingsError(message)


def load_settings() -> Settings:
    """The settings from the environment, completed by the keys file of the data folder.

    Raises SettingsError with one line that names the setting, and its value unless that is a secret.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        name = f"CLOSEDLOOP_{field.upper()}"
        is_secret = Settings.model_fields[field].annotation is SecretStr
        shown = name if is_secret else f"{name}={os.environ.get(name, '')!r}"
        raise SettingsError(f"{shown}: {first['msg'].removeprefix('Value error, ')}") from error
    return settings.with_keys(read_keys(settings.data_dir))


def unknown_settings() -> list[str]:
    """Variables that are named like settings and are none: a slip of the pen, or another version's."""
    known = {f"CLOSEDLOOP_{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith("CLOSEDLOOP_") and name not in known)


def read_keys(data_dir: Path) -> dict[str, str]:
    """The keys that `up` made in this data folder; empty before the first start."""
    path = data_dir / KEYS_FILE
    try:
        return {str(name): str(value) for name, value in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, OSError) as error:
        message = f"{path} cannot be read ({error}); restore it from a backup, leads are keyed with its id_key"
        raise SettingsError(message) from error


def make_keys(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The settings with every generated key present, and the names of those made now and written to the keys file."""
    made = {
        name: _webhook_secret() if name == "webhook_secret" else secrets.token_urlsafe(24)
        for name in GENERATED
        if not _plain(getattr(settings, name))
    }
    if made:
        path = settings.data_dir / KEYS_FILE
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            json.dump(read_keys(settings.data_dir) | made, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return settings.with_keys(made), tuple(made)


def _webhook_secret() -> str:
    """A symmetric key as Standard Webhooks writes it: `whsec_` and 24 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _is_port(text: str) -> bool:
    return 1 <= int(text) <= 65535


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _url(host: str, port: int) -> str:
    """An address on this machine; that of IPv6 stands in brackets (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
