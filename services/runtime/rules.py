"""The rules that the present state was derived under; the first start stores them, a replay changes them."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import orjson

from services.runtime.postgres import Database, load_queries
from services.runtime.settings import Settings

queries = load_queries(__package__)


@dataclass(frozen=True)
class Rules:
    """What decides, besides the events. A change moves visits and money, so it takes effect by a replay alone."""

    lookback_days: int
    own_domains: tuple[str, ...]
    timezone: str

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.lookback_days)


def rules_of(settings: Settings) -> Rules:
    """The rules that these settings ask for; the order of the own domains makes no other rules."""
    return Rules(settings.lookback_days, tuple(sorted(set(settings.own_domains))), settings.timezone)


async def adopt_rules(database: Database, settings: Settings) -> Rules:
    """The rules in force: those stored, whatever the settings say. The first start stores those of the settings."""
    await database.execute(queries.store_first_rules, orjson.dumps(asdict(rules_of(settings))).decode())
    rules = await stored_rules(database)  # another service may have been the first
    assert rules is not None
    return rules


async def stored_rules(database: Database) -> Rules | None:
    """The rules in force; None before the first start of a service that derives."""
    text = await database.fetchval(queries.stored_rules)
    if text is None:
        return None
    stored = orjson.loads(text)
    return Rules(stored["lookback_days"], tuple(stored["own_domains"]), stored["timezone"])


def differences(stored: Rules, wanted: Rules) -> list[str]:
    """One line for each rule that the settings would have otherwise; empty when they agree."""
    before, after = asdict(stored), asdict(wanted)
    return [
        f"CLOSEDLOOP_{name.upper()}: kept {_shown(before[name])}, set is {_shown(after[name])}; a replay will change it"
        for name in before
        if before[name] != after[name]
    ]


def _shown(value: object) -> str:
    return (", ".join(value) or "(none)") if isinstance(value, tuple) else str(value)
