"""The rules that the present state was derived under; the first start stores them, a replay changes them."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from importlib import resources
from zoneinfo import ZoneInfo

import orjson

from schemas.credit import Milestones, parse_models
from services.runtime.postgres import Connection, Database, Record, load_queries
from services.runtime.settings import Settings, StartError

queries = load_queries(__package__)


LISTS = "identity.data"
"""Where the lists of known sources are, by which identity names channels."""
LISTS_TITLE = "lists of known sources"


class Replaced(StartError):
    """A replay has put another state in force, maybe under other rules: begin again there."""


@dataclass(frozen=True)
class Rules:
    """What decides, besides the events. A change moves visits and money, so it takes effect by a replay alone."""

    lookback_days: int
    own_domains: tuple[str, ...]
    timezone: str
    models: str = ""
    """The models beside the built-in ones, as `schemas.credit.models_text` writes them."""
    lists: str = ""
    """The fingerprint of the lists of known sources. No setting: a program has one version of them."""

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.lookback_days)

    @cached_property
    def custom_models(self) -> dict[str, Milestones]:
        return parse_models(self.models)


def rules_of(settings: Settings) -> Rules:
    """The rules that these settings and this program ask for; the order of the own domains makes no other rules."""
    domains = tuple(sorted(set(settings.own_domains)))
    return Rules(settings.lookback_days, domains, settings.timezone, settings.models, fingerprint_of_lists())


@cache
def fingerprint_of_lists() -> str:
    """Of this program's lists of known sources: the beginning of a SHA-256 over their files."""
    digest = hashlib.sha256()
    for file in sorted(resources.files(LISTS).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".csv"):
            digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


async def adopt_rules(database: Database, settings: Settings) -> Rules:
    """The rules in force: those stored, whatever the settings say. The first start stores those of the settings.

    From now on each transaction of `database` raises Replaced when a replay has put another state in force: what is
    derived by these rules never ends up in a state of others. While such a transaction runs, no replay comes between.
    """
    await database.execute(queries.store_first_rules, orjson.dumps(asdict(rules_of(settings))).decode())
    await database.execute(queries.store_first_lists, fingerprint_of_lists())
    row = await database.fetchrow(queries.stored_rules)  # another service may have been the first
    assert row is not None
    database.begin_with(partial(_still_in_force, row["since"]))
    return _rules(row)


async def stored_rules(database: Database) -> Rules | None:
    """The rules in force; None before the first start of a service that derives."""
    row = await database.fetchrow(queries.stored_rules)
    return None if row is None else _rules(row)


def changes(before: Rules, after: Rules) -> list[tuple[str, str, str]]:
    """Each rule that is another: the name of its setting, and both values as people write them."""
    old, new = asdict(before), asdict(after)
    return [(_title(name), _shown(old[name]), _shown(new[name])) for name in old if old[name] != new[name]]


def differences(stored: Rules, wanted: Rules) -> list[str]:
    """One line for each rule that the settings or this program would have otherwise; empty when they agree."""
    return [
        f"{name}: kept {kept}, {'here' if name == LISTS_TITLE else 'set'} is {asked}; "
        "`closedloop replay` shows what the change would move, and makes it"
        for name, kept, asked in changes(stored, wanted)
    ]


async def _still_in_force(since: datetime, connection: Connection) -> None:
    if await connection.fetchval(queries.in_force_since) != since:
        raise Replaced("a replay has put another state in force meanwhile; run this again")


def _rules(row: Record) -> Rules:
    stored = orjson.loads(row["rules"])
    return Rules(**{**stored, "own_domains": tuple(stored["own_domains"])})


def _title(name: str) -> str:
    return LISTS_TITLE if name == "lists" else f"CLOSEDLOOP_{name.upper()}"


def _shown(value: object) -> str:
    return ", ".join(value) or "(none)" if isinstance(value, tuple) else str(value) or "(none)"
