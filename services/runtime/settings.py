"""Every setting of Closed Loop: one frozen object, read from ``CLOSEDLOOP_*`` and the keys file of the data folder.

A setting that is wrong stops the start with one line that names it; nothing is guessed. What each may be is in
`setting_values`.
"""

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.score import DEFAULT_SCORE
from services.runtime.setting_values import (
    EMBEDDED,
    Broker,
    Hosts,
    LongSecret,
    Models,
    Networks,
    Port,
    Score,
    TimeZone,
    TopicPrefix,
    WebAddress,
    WebhookSecret,
)

KEYS_FILE = "keys.json"
"""Name of the file in the data folder that keeps the keys which `up` made; readable by its owner alone."""

GENERATED = ("write_key", "admin_token", "id_key", "webhook_secret")
"""Settings that `up` makes when they are missing; the services on their own refuse to start without them."""

EX_CONFIG = 78
"""The exit code for a wrong setting (sysexits.h): starting again would not help."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class SettingsError(Exception):
    """A setting is missing or wrong; the message is the one line to show the operator."""


class StartError(Exception):
    """Something else stands in the way of a start; the message is the one line to show, with what to do next."""


class Settings(BaseSettings):
    """The settings by name, without the ``CLOSEDLOOP_`` prefix; the README lists them for users."""

    model_config = SettingsConfigDict(env_prefix="CLOSEDLOOP_", frozen=True, extra="ignore", env_ignore_empty=True)

    broker: Broker = EMBEDDED
    kafka_prefix: TopicPrefix = "closedloop-"
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
    public_url: WebAddress = ""
    trusted_proxies: Networks = ("127.0.0.1", "::1")

    write_key: str = ""
    admin_token: LongSecret = SecretStr("")
    id_key: LongSecret = SecretStr("")
    webhook_secret: WebhookSecret = SecretStr("")

    lookback_days: Annotated[int, Field(ge=1, le=3650)] = 90
    models: Models = ""
    own_domains: Hosts = ()
    timezone: TimeZone = "UTC"
    honour_dnt: bool = False
    score: Score = DEFAULT_SCORE

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


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _url(host: str, port: int) -> str:
    """An address on this machine; that of IPv6 stands in brackets (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
