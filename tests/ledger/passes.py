"""One pass: some thousand deals through the consumers on Postgres, then a look at all that the ledger ever said of them."""

import json
from collections.abc import Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

from attributor.crediting import Crediting
from schemas.credit import MODELS, Milestones
from services.runtime.postgres import Connection, Database, columns, load_queries
from services.runtime.rules import Rules
from tests.builders import ID_KEY, delivery
from tests.closing import Loop, commits
from tests.ledger.households import ROUNDS, Event, Household, Version, household_of
from tests.ledger.plain import credited

QUERIES = load_queries(__package__, "checks.sql")

LOOKBACK_DAYS = (1, 30, 90, 90, 365, 3650)
HOUSEHOLD_DEALS = 25
BATCH = 1_000
SAMPLED = 2
"""Households of which the credits are worked out anew."""


class Task(NamedTuple):
    """One pass."""

    seed: str
    deals: int


class Counted(NamedTuple):
    """What was looked at in a pass, and found right."""

    deals: int
    versions: int
    entries: int
    instants: int
    """Of all deals together."""
    drift: int
    """Minor units; what `Seen` has."""
    compared: int
    """Deals of which the credits were worked out anew."""


class Seen(NamedTuple):
    """What the ledger said at all instants of all deals."""

    instants: int
    drift: int
    """Minor units by which the credits missed the amounts, all together."""
    wrong: Sequence[str]
    """The first instants at which something was wrong, a line each."""


class Wrong(Exception):
    """The ledger says something else than it should; the message tells what, and by which seed."""


async def run_pass(database: Database, scans: Database, task: Task) -> Counted:
    """Play it and look at it. `scans` is the same database, for statements that read whole tables. Raises Wrong."""
    random = Random(task.seed)
    rules = rules_of(random)
    sizes = [HOUSEHOLD_DEALS] * (task.deals // HOUSEHOLD_DEALS) + [task.deals % HOUSEHOLD_DEALS]
    households = [household_of(random, f"h{number}-", size) for number, size in enumerate(sizes)]
    loop = Loop(database)
    loop.attributor = Crediting(database, ID_KEY, rules)
    await loop.empty()
    await scans.execute(QUERIES.make_told)
    await play(loop, households, random)
    await scans.execute("ANALYZE entries, credits, told")
    async with scans.connection() as connection:
        seen = await look(connection, rules)
    wrong = list(seen.wrong)
    compared = random.sample(range(len(households)), min(SAMPLED, len(households)))
    for number in compared:
        wrong += await unlike_plain(scans, f"h{number}-", households[number], rules)
    if wrong:
        raise Wrong("\n".join([f"pass {task} under {rules}:", *wrong]))
    versions = sum(len(arriving) for household in households for arriving in household.versions)
    entries = await scans.fetchval(QUERIES.count_entries)
    return Counted(task.deals, versions, entries, seen.instants, seen.drift, sum(sizes[number] for number in compared))


async def look(connection: Connection, rules: Rules) -> Seen:
    """Every deal at every instant, under all models of these rules."""
    row = await connection.fetchrow(QUERIES.look_at_every_instant, len(MODELS) + len(rules.custom_models))
    assert row is not None
    return Seen(row["instants"], int(row["drift"]), row["wrong"] or [])


def rules_of(random: Random) -> Rules:
    """A lookback, and a model of the operator's own."""
    sizes = [random.choice((0, 1, 2, 7)) for _ in Milestones._fields]
    parts = {
        name: str(Fraction(size, sum(sizes))) for name, size in zip(Milestones._fields, sizes, strict=True) if size
    }
    models = {"ours": parts or {"others": "1"}}
    return Rules(random.choice(LOOKBACK_DAYS), own_domains=(), timezone="UTC", models=json.dumps(models))


async def play(loop: Loop, households: Sequence[Household], random: Random) -> None:
    """Round by round what arrives, of all households mixed."""
    await hear(loop, [event for household in households for event in household.early])
    newest: dict[str, Version] = {}
    for turn in range(ROUNDS):
        versions = [version for household in households for version in household.versions[turn]]
        random.shuffle(versions)
        for start in range(0, len(versions), BATCH):
            await take_in(loop, versions[start : start + BATCH], newest)
        await hear(loop, [event for household in households for event in household.late[turn]])


async def hear(loop: Loop, events: Sequence[Event]) -> None:
    """Identity reads these, and all that they lead to is done."""
    for start in range(0, len(events), BATCH):
        await loop.identity.handle([delivery(event) for event in events[start : start + BATCH]], commits)
    await loop.settle()


async def take_in(loop: Loop, versions: Sequence[Version], newest: dict[str, Version]) -> None:
    """One batch of deals; `told` gets what they are from the instant on at which the ledger took that in, all at once."""
    before = await loop.database.fetchval(QUERIES.now)
    await loop.handle([delivery(version.event) for version in versions])
    instants = [row["at"] for row in await loop.database.fetch(QUERIES.corrected_since, before)]
    if len(instants) > 1:
        raise Wrong(f"one batch corrects the ledger at {len(instants)} instants")
    for version in versions:
        deal_id = version.event["deal_id"]
        newest[deal_id] = max(version, newest.get(deal_id, version), key=lambda each: each.order)
    rows = [
        (deal_id, newest[deal_id].is_won, newest[deal_id].amount, newest[deal_id].event.get("currency"))
        for deal_id in {version.event["deal_id"] for version in versions}
    ]
    await loop.database.execute(QUERIES.tell, instants[0] if instants else before, *columns(rows))


async def unlike_plain(database: Database, prefix: str, household: Household, rules: Rules) -> list[str]:
    """Where the ledger differs now from what the reference model works out, a line each."""
    rows = await database.fetch(QUERIES.credits_now, prefix)
    found = {(row["deal_id"], row["model"]): (row["touch_id"], row["amounts"]) for row in rows}
    due = credited(household.events, rules)
    return [
        f"{key}: found {found.get(key)}, due {due.get(key)}"
        for key in sorted(found.keys() | due)
        if found.get(key) != due.get(key)
    ]
