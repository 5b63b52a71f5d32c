"""Events told to the product in two orders, and what its users then see: people, whose visits are whose, and money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.identifier import identifier_id
from services.reports.digest import digest_parts
from services.reports.questions import Question
from services.reports.store import Store
from services.runtime.postgres import Database
from services.runtime.rules import rules_of
from services.runtime.settings import Settings
from tests.builders import ID_KEY, SITE, deal, delivery, make_event
from tests.closing import Loop

LEADS = "SELECT array_agg(value) FROM lead_of GROUP BY lead"
OWNERS = """
SELECT touch_id, (SELECT min(value) FROM lead_of AS member WHERE member.lead = held.lead) AS owner
FROM touch LEFT JOIN lead_of AS held ON held.identifier = touch.owner
"""
DEALS = "SELECT provider || ':' || deal_id AS address, deal_id FROM deals WHERE stage = 'won'"

Money = dict[str | None, str]


@dataclass(frozen=True)
class Seen:
    """What stands there now. A lead is named by the least of its identifiers where it owns a visit."""

    leads: set[frozenset[str]]
    owners: dict[str, str | None]
    """By the visit's first event."""
    money: dict[str, Money]
    """By won deal: the amount of each visit under the linear model; None is `Unattributed`."""


async def tell(loop: Loop, *events: dict[str, Any], at_once: int = 1) -> Seen:
    """The events as told and in reverse, each time to an empty state. Both must end in one and the same state."""
    as_told = await digest_of(loop, events, at_once)
    reverse = await digest_of(loop, events[::-1], at_once)
    assert as_told == reverse
    return await seen(loop.database)


async def digest_of(loop: Loop, events: Sequence[dict[str, Any]], at_once: int = 1000) -> dict[str, str]:
    """The digests, by part, of the state that these events make of an empty one."""
    await loop.empty()
    for start in range(0, len(events), at_once):
        await loop.handle([delivery(payload) for payload in events[start : start + at_once]])
    await loop.settle()
    return await digest_parts(loop.database)


async def seen(database: Database) -> Seen:
    reports = reports_of(database)
    return Seen(
        leads={frozenset(row[0]) for row in await database.fetch(LEADS)},
        owners={row["touch_id"]: row["owner"] for row in await database.fetch(OWNERS)},
        money={row["deal_id"]: await money(reports, row["address"]) for row in await database.fetch(DEALS)},
    )


async def money(reports: Store, address: str, as_of: datetime | None = None) -> Money:
    """Who earned the deal under the linear model, as it stood at `as_of`."""
    found = await reports.credits(address, Question(as_of=as_of))
    return {credit.touch_id: credit.amount for credit in found.credits}


async def lead_at(loop: Loop, identifier: str) -> frozenset[str]:
    """Whom `leads/{id}` answers to the id of this identifier."""
    facts = await reports_of(loop.database).leads.facts(identifier_id(identifier, ID_KEY))
    assert facts is not None
    return frozenset(member["value"] for member in facts.members)


def reports_of(database: Database) -> Store:
    return Store(database, rules_of(Settings()))


def people(*leads: str) -> set[frozenset[str]]:
    """Leads as their identifiers, those of one separated by blanks."""
    return {frozenset(lead.split()) for lead in leads}


def login(visitor: str | None, event_id: str, moment: datetime, user_id: Any, **who: Any) -> dict[str, Any]:
    """Someone logs in; without a visitor it is a server that says so."""
    cookie = {} if visitor is None else {"visitor_id": visitor, "url": SITE + "account", "referrer": SITE}
    return make_event("identify", event_id, moment, user_id=user_id, **cookie, **who)


def won(deal_id: str, moment: datetime, *emails: str) -> dict[str, Any]:
    """A deal won for 100.00 EUR with these people."""
    return deal(deal_id, f"deal {deal_id}", moment, contacts=[{"email": email} for email in emails])
