"""The ledger defends itself: a wrong row that somebody inserts by hand is refused, and what was said stays said."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from services.runtime.postgres import Database, PostgresError, connect
from tests.filling import filled_database
from tests.rewriting import REWRITES_LEDGER
from tests.state_rows import MAIL, PAID, Deal, Visit, put_entry

VISITS = (Visit("v", "2026-03-01", PAID), Visit("v", "2026-03-02", MAIL), Visit("v", "2026-03-03"))
WON = Deal("7", visits=VISITS)
ARRAYS = (
    *("visitor_id", "touch_id", "occurred_at", "channel", "source", "medium", "campaign", "content", "term"),
    *("landing_page", "referrer"),
)
THEN = "2026-03-11T00:00:00Z"


@pytest.fixture(scope="module")
def credited_dsn(postgres_dsn: str, migrated_template: str) -> Iterator[str]:
    """A ledger with one deal: an entry that ended, and the current one."""
    with filled_database(postgres_dsn, migrated_template, _credit) as dsn:
        yield dsn


async def _credit(database: Database) -> None:
    await put_entry(database, WON, version=1, recorded="2026-03-10", until="2026-03-11")
    await put_entry(database, WON, version=2, recorded="2026-03-11")


@pytest.fixture
async def ledger(credited_dsn: str) -> AsyncIterator[Database]:
    async with connect(credited_dsn, application="test", size=1) as database:
        yield database


WRONG_CREDITS: list[tuple[str, dict[str, Any], str]] = [
    ("a cent too much", {"amounts": [3334, 3333, 3334]}, "credits_sum_to_the_amount"),
    ("a cent too little", {"amounts": [3333, 3333, 3333]}, "credits_sum_to_the_amount"),
    ("a negative credit", {"amounts": [-1, 10001, 0]}, "no_credit_is_negative"),
    ("fewer credits than touches", {"amounts": [5000, 5000]}, "one_credit_a_touch"),
    ("more credits than touches", {"amounts": [5000, 5000, 0, 0]}, "one_credit_a_touch"),
    ("fewer shares than touches", {"shares": [0.5, 0.5]}, "one_credit_a_touch"),
    ("an unknown credit", {"amounts": [10000, None, 0]}, "no_credit_is_missing"),
    ("an unknown share", {"shares": [1, None, 0]}, "no_credit_is_missing"),
    ("nested credits", {"amounts": [[10000], [0], [0]]}, "no_credit_is_missing"),
    ("no credits", {"amounts": None}, "not-null"),
    ("shares that sum to more", {"shares": [0.5, 0.5, 0.5]}, "do not sum to 1"),
    ("shares that sum to less", {"shares": [0.3, 0.3, 0.3]}, "do not sum to 1"),
    ("a negative share", {"shares": [1.5, -0.5, 0]}, "do not sum to 1"),
    ("another amount than the deal's", {"amount": 1, "amounts": [1, 0, 0]}, "credits_provider_deal_id_version_amount"),
    ("another journey than the deal's", {"touches": 1, "amounts": [10000], "shares": [1]}, "credits_provider_deal_id"),
    ("an entry that is not there", {"version": 3}, "credits_provider_deal_id_version_amount"),
    ("one model twice", {"model": "linear"}, "credits_pkey"),
]
WRONG_ENTRIES: list[tuple[str, dict[str, Any], str]] = [
    ("two current entries", {"version": 3}, "entries_current"),
    ("an end without a cause", {"deal_id": "8", "version": 1, "superseded_at": THEN}, "entries_check"),
    ("a cause without an end", {"deal_id": "8", "version": 1, "superseded_cause": "erased"}, "entries_check"),
    ("a negative amount", {"deal_id": "8", "version": 1, "amount": -1}, "entries_amount_check"),
    (
        "no touch, not even an unknown one",
        {"deal_id": "8", "version": 1, "touches": 0, **{name: [] for name in ARRAYS}},
        "entries_touches_check",
    ),
    *(
        (f"a touch without {name}", {"deal_id": "8", "version": 1, name: [None, None]}, "entries_check1")
        for name in ARRAYS
    ),
    ("a milestone outside of the journey", {"deal_id": "8", "version": 1, "lead_touch": 4}, "entries_check"),
    ("no currency", {"deal_id": "8", "version": 1, "currency": None}, "not-null"),
    ("a version twice", {}, "entries_pkey"),
    ("a version before the first", {"deal_id": "8", "version": 0}, "entries_version_check"),
    ("no credits at the commit", {"deal_id": "8", "version": 1}, "entries_have_credits"),
    ("no need of credits", {"deal_id": "8", "version": 1, "credited_by": "mine"}, "entries_credited_by_check"),
    (
        "a beginning while another entry holds",
        {"version": 3, "recorded_at": "2026-03-10T18:00:00Z", "superseded_at": THEN, "superseded_cause": "erased"},
        "does not begin after the end of the one before it",
    ),
    ("a second version without a first", {"deal_id": "8"}, "does not begin after the end of the one before it"),
]


async def refused(ledger: Database, statement: str, *args: object) -> str:
    """What the database says to it."""
    before = await ledger.fetch(
        "SELECT * FROM entries JOIN credits USING (provider, deal_id, version) ORDER BY 3, model"
    )
    with pytest.raises(PostgresError) as refusal:
        await ledger.execute(statement, *args)
    assert before == await ledger.fetch(
        "SELECT * FROM entries JOIN credits USING (provider, deal_id, version) ORDER BY 3, model"
    )
    return str(refusal.value)


@pytest.mark.parametrize(("change", "reason"), [pytest.param(*row, id=name) for name, *row in WRONG_CREDITS])
async def test_wrong_credits_are_refused(ledger: Database, change: dict[str, Any], reason: str) -> None:
    insert = """INSERT INTO credits SELECT (jsonb_populate_record(c, $1::jsonb)).* FROM credits c
                WHERE version = 2 AND model = 'linear'"""
    assert reason in await refused(ledger, insert, orjson.dumps({"model": "mine", **change}).decode())


@pytest.mark.parametrize(("change", "reason"), [pytest.param(*row, id=name) for name, *row in WRONG_ENTRIES])
async def test_a_wrong_entry_is_refused(ledger: Database, change: dict[str, Any], reason: str) -> None:
    insert = "INSERT INTO entries SELECT (jsonb_populate_record(e, $1::jsonb)).* FROM entries e WHERE version = 2"
    assert reason in await refused(ledger, insert, orjson.dumps(change).decode())


async def test_nothing_of_an_entry_but_its_end_can_be_changed(ledger: Database) -> None:
    names = await ledger.fetch(
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'entries'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    fixed = {row["name"] for row in names} - {"superseded_at", "superseded_cause"}
    assert len(fixed) > 20
    for name in fixed:
        assert "UPDATE of entries is refused" in await refused(ledger, f"UPDATE entries SET {name} = {name}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET superseded_at = NULL, superseded_cause = NULL WHERE version = 1",
        "UPDATE entries SET superseded_at = now() WHERE version = 1",
        "UPDATE entries SET superseded_cause = 'erased' WHERE version = 1",
        "UPDATE entries SET superseded_at = '2026-03-10', superseded_cause = 'erased' WHERE version = 2",
        "DELETE FROM entries",
        "DELETE FROM credits",
        "UPDATE credits SET amounts = amounts",
        "UPDATE credits SET shares = shares",
        "TRUNCATE credits CASCADE",
        "TRUNCATE entries, credits",
    ],
)
async def test_what_the_ledger_said_stays_said(ledger: Database, statement: str) -> None:
    assert "the ledger is append-only" in await refused(ledger, statement)


async def test_an_entry_can_be_ended_and_followed_and_who_must_rewrite_the_ledger_says_so(
    ledger: Database,
) -> None:
    await ledger.execute("UPDATE entries SET superseded_at = now(), superseded_cause = 'erased' WHERE version = 2")
    await put_entry(ledger, WON, version=3, recorded="2126-01-01")
    rewrite = "DELETE FROM credits WHERE version = 3; DELETE FROM entries WHERE version = 3;"
    reopen = "UPDATE entries SET superseded_at = NULL, superseded_cause = NULL WHERE version = 2"
    assert await ledger.execute(REWRITES_LEDGER + rewrite + reopen) == "UPDATE 1"
    assert "the ledger is append-only" in await refused(ledger, "DELETE FROM entries"), "it holds for one transaction"
