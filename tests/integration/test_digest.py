"""The digest: equal for equal states, different for any difference that somebody could see."""

from schemas.visit import DIRECT
from services.reports.digest import digest, digest_parts
from services.runtime.migrate import migrate
from services.runtime.postgres import connect
from tests.rewriting import REWRITES_LEDGER
from tests.state_rows import MAIL, PAID, Deal, Visit, id_of, put_all, put_entry, put_lead

ANN, BOB = "email:ann@example.org", "email:bob@example.org"
FIRST = Visit("v1", "2026-03-01 10:00", PAID, ANN)
SECOND = Visit("v1", "2026-03-05 10:00", MAIL, "user:1")
PAGELESS = Visit("v2", "2026-03-05 11:00", DIRECT, BOB, landing_page=None)
WON = Deal("D-1", owner="Rita", contacts=(ANN, BOB), visits=(FIRST, SECOND))
FAIR = """
INSERT INTO offline_touches (scope, touch_id, occurred_at, channel, source, medium, owner)
VALUES (gen_random_uuid(), 'fair', '2026-03-02', 'Fair', 'expo', 'fair', $1)
"""


async def put_state(database, *, turned=False):
    """One small state; `turned` writes its rows in the opposite order."""
    leads = [(ANN, "user:1"), (BOB,)]
    things = [FIRST, SECOND, PAGELESS, WON, Deal("D-2", stage="open", closed=None)]
    for identifiers in reversed(leads) if turned else leads:
        await put_lead(database, *identifiers)
    await put_all(database, *(reversed(things) if turned else things))
    await database.execute(FAIR, id_of(ANN))


async def test_the_order_in_which_rows_were_written_is_not_in_the_digest(database, empty_dsn):
    await put_state(database)
    await migrate(empty_dsn, print)
    async with connect(empty_dsn, application="test") as other:
        await put_state(other, turned=True)
        assert await digest_parts(other) == await digest_parts(database)
        assert await digest(other) == await digest(database)


async def test_a_reader_without_the_right_to_write_gets_the_same_digest(database, dsn):
    await put_state(database)
    async with connect(dsn, application="test", read_only=True) as reading:
        assert await digest(reading) == await digest(database)


CHANGES = [
    ("leads", "UPDATE identifiers SET value = 'user:2' WHERE value = 'user:1'"),
    ("leads", "UPDATE identifiers SET first_at = first_at - interval '1 microsecond' WHERE value = 'user:1'"),
    ("leads", "UPDATE identifiers SET lead = id"),
    ("leads", "UPDATE identifiers SET lead = i.id FROM identifiers i WHERE i.value = 'user:1' AND identifiers.value <> 'email:bob@example.org'"),
    *(("visits", f"UPDATE visits SET {change} FROM visitors WHERE number = visitor AND visitor_id = 'v1' AND channel = 'Email'") for change in (
        "visitor = 0", "started_at = started_at + interval '1 microsecond'", "touch_id = 'x'",
        "last_at = last_at + interval '1 microsecond'", "hits = 2", "channel = 'Direct'", "source = 'x'", "medium = 'x'",
        "campaign = NULL", "content = ''", "term = 'x'", "landing_page = 'https://shop.example/?'", "referrer = ''",
        "click_ids = '[[\"gclid\", \"1\"]]'", "owner = NULL",
    )),
    ("visits", "DELETE FROM visits WHERE landing_page IS NULL"),
    ("visits", "UPDATE visits SET owner = (SELECT id FROM identifiers WHERE value = 'email:bob@example.org') FROM visitors WHERE number = visitor AND visitor_id = 'v1'"),
    ("visits", "UPDATE visitors SET visitor_id = 'v3' WHERE visitor_id = 'v1'"),
    *(("offline_touches", f"UPDATE offline_touches SET {change}") for change in (
        "occurred_at = now()", "touch_id = 'x'", "visitor_id = 'v'", "name = 'x'", "channel = 'x'", "source = 'x'",
        "medium = 'x'", "campaign = 'x'", "owner = NULL",
    )),
    *(("deals", f"UPDATE deals SET {change} WHERE deal_id = 'D-2'") for change in (
        "stage = 'lost'", "amount = 1", "currency = 'USD'", "created_at = now()", "closed_at = now()", "owner = 'x'",
        "updated_at = now()", "provider = 'hubspot'", "deal_id = 'D-3'", "contacts = ARRAY[gen_random_uuid()]",
    )),
    ("credits", "UPDATE credits SET amounts = ARRAY[amounts[1] - 1, amounts[2] + 1] WHERE model = 'linear'"),
    ("credits", "UPDATE credits SET shares = ARRAY[0.1 + 0.2, 0.7] WHERE model = 'linear'"),
    ("credits", "DELETE FROM credits WHERE model = 'last_touch'"),
    *(("credits", f"UPDATE entries SET {change}") for change in (
        "owner = 'x'", "closed_at = now()", "created_at = now()", "currency = 'USD'",
        "channel[1] = 'x'", "source[1] = 'x'", "medium[1] = 'x'", "campaign[1] = 'x'", "content[1] = 'x'", "term[1] = 'x'",
        "touch_id[1] = 'x'", "visitor_id[1] = 'x'", "occurred_at[1] = now()", "landing_page[1] = 'x'", "referrer[1] = 'x'",
        "superseded_at = now(), superseded_cause = 'x'",
    )),
]  # fmt: skip


async def test_every_difference_that_can_be_seen_changes_the_digest_of_its_part(database):
    await put_state(database)
    before, whole = await digest_parts(database), await digest(database)
    overlooked = []
    for part, change in CHANGES:
        assert await database.execute(REWRITES_LEDGER + change) not in {"UPDATE 0", "DELETE 0"}
        if (await digest_parts(database))[part] == before[part] or await digest(database) == whole:
            overlooked.append(change)
        await database.execute(
            REWRITES_LEDGER + "TRUNCATE identifiers, visits, offline_touches, deals, entries, credits"
        )
        await put_state(database)
    assert overlooked == []
    assert await digest(database) == whole


UNSEEN = [
    "UPDATE entries SET recorded_at = now(), cause = 'touch arrived'",
    "UPDATE identifiers SET settled = NOT settled",
    "INSERT INTO notes (consumer_group, kind, key) VALUES ('attributor', 'lead', 'x')",
    "INSERT INTO deals (provider, deal_id) VALUES ('webhook', 'not read yet')",
]


async def test_how_a_state_was_reached_is_not_in_the_digest(database):
    await put_state(database)
    before = await digest(database)
    for change in UNSEEN:
        await database.execute(REWRITES_LEDGER + change)
        assert await digest(database) == before


async def test_a_history_of_corrections_is_not_in_the_digest(database):
    await put_state(database)
    before = await digest(database)
    await put_entry(database, Deal("D-3", 1), until="2026-03-11")
    assert await digest(database) == before


async def test_the_key_of_the_identifiers_is_not_in_the_digest(database):
    await put_state(database)
    before = await digest(database)
    keys = {id_of(value): id_of(f"under another key {value}") for value in (ANN, BOB, "user:1")}
    for old, new in keys.items():
        await database.execute("UPDATE identifiers SET id = $2 WHERE id = $1", old, new)
        await database.execute("UPDATE identifiers SET lead = $2 WHERE lead = $1", old, new)
        await database.execute("UPDATE visits SET owner = $2 WHERE owner = $1", old, new)
        await database.execute("UPDATE offline_touches SET owner = $2 WHERE owner = $1", old, new)
        await database.execute("UPDATE deals SET contacts = array_replace(contacts, $1, $2)", old, new)
    assert await digest(database) == before


async def test_more_rows_than_one_fetch_are_all_in_the_digest(database):
    await database.execute(
        "WITH made AS (INSERT INTO visitors (visitor_id) SELECT 'v' || n FROM generate_series(1, 2500) n RETURNING number)"
        " INSERT INTO visits (visitor, started_at, touch_id, last_at, hits, channel, source, medium)"
        " SELECT number, '2026-01-01', 't', '2026-01-01', 1, 'Direct', '(direct)', '(none)' FROM made"
    )
    before = await digest(database)
    await database.execute(
        "UPDATE visits SET hits = 2 FROM visitors WHERE number = visitor AND visitor_id = 'v999'"
    )  # the last by code points
    assert await digest(database) != before
