"""The watcher on a real log and database: what it tells of consumers that do not run."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from schemas.codec import encode
from services.reports.store import Store
from services.reports.watch import Watcher
from services.runtime.health import Health
from services.runtime.kafka_topics import make_topics
from services.runtime.open_log import open_history
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from tests.rewriting import REWRITES_LEDGER
from tests.state_rows import Deal, Visit, put_deal, put_entry

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
WON = Deal("1", visits=(Visit("v1", "2026-03-01 10:00"), Visit("v2", "2026-03-02 10:00")))


@asynccontextmanager
async def watching(settings):
    """A watcher of all logs of these settings, at NOW."""
    dsn = settings.database_url.get_secret_value()
    async with connect(dsn, application="reports", read_only=True) as reading, open_history(settings) as logs:
        yield Watcher(Store(reading, rules_of(settings)), reading, logs, now=lambda: NOW)


@pytest_asyncio.fixture
async def watcher(dsn, tmp_path, settings_for):
    async with watching(settings_for(dsn, tmp_path)) as watcher:
        yield watcher


@pytest_asyncio.fixture(params=["embedded", "kafka"])
async def watcher_of_either(request, dsn, tmp_path, settings_for, kafka_prefix):
    """On Kafka the embedded log, which came before it, is watched as well."""
    if request.param == "embedded":
        settings = settings_for(dsn, tmp_path)
    else:
        brokers = request.getfixturevalue("kafka")
        settings = settings_for(dsn, tmp_path, broker=brokers.address, kafka_prefix=kafka_prefix)
        await make_topics(settings, print)
    async with watching(settings) as watcher:
        yield watcher


def event(received, number=0):
    return encode({
        "type": "pageview", "event_id": f"e{number}", "occurred_at": "2020-01-01T00:00:00Z", "visitor_id": "v",
        "received_at": received.isoformat().replace("+00:00", "Z"),
    })  # fmt: skip


async def append(watcher, topic, *values):
    await watcher._logs[-1].append(topic, [(b"k", value) for value in values])


async def move(database, watcher, group, topic, offset):
    log_id = watcher._logs[-1].log_id
    ends = await watcher._logs[-1].ends(topic)
    for partition, end in enumerate(ends):
        await database.execute(
            "INSERT INTO positions (log_id, consumer_group, topic, partition, next_offset) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (log_id, consumer_group, topic, partition) DO UPDATE SET next_offset = excluded.next_offset",
            log_id, group, topic, partition, min(end, offset),
        )  # fmt: skip


async def test_an_empty_installation_is_behind_by_nothing_and_has_no_consumers(watcher):
    look = await watcher.look()
    assert set(look.lag_records.values()) == {0}
    assert look.lag_seconds == {"identity": 0, "attributor": 0}
    assert (look.notes, look.letters, look.consumers, look.unbalanced_deals) == ({}, {}, {}, 0)
    assert look.database_bytes > 1_000_000


async def test_the_oldest_unread_record_is_as_old_as_the_collectors_stamp_in_it(watcher_of_either, database):
    watcher = watcher_of_either
    old, young = NOW - timedelta(seconds=90), NOW - timedelta(seconds=10)
    await append(watcher, "events", event(old, 1), event(young, 2))
    look = await watcher.look()
    assert look.lag_records == {("identity", "events"): 2, ("identity", "deals"): 0, ("attributor", "deals"): 0}
    assert look.lag_seconds == {"identity": 90, "attributor": 0}

    await move(database, watcher, "identity", "events", 1)
    look = await watcher.look()
    assert look.lag_records["identity", "events"] == 1
    assert look.lag_seconds == {"identity": 10, "attributor": 0}

    await move(database, watcher, "identity", "events", 2)
    assert (await watcher.look()).lag_seconds == {"identity": 0, "attributor": 0}


async def test_bytes_that_are_no_event_hide_no_lag(watcher_of_either):
    watcher = watcher_of_either
    await append(watcher, "deals", b"\x00 poison", event(NOW - timedelta(seconds=40)))
    assert (await watcher.look()).lag_seconds == {"identity": 40, "attributor": 40}


async def test_notes_letters_and_living_consumers_are_told_by_group(watcher, database):
    await database.execute(
        "INSERT INTO notes (consumer_group, kind, key, left_at, failures) VALUES"
        " ('attributor', 'lead', 'x', clock_timestamp() - interval '1 hour', 2), ('attributor', 'lead', 'y', now(), 0)"
    )
    await database.execute(
        "INSERT INTO dead_letters (consumer_group, log_id, topic, partition, log_offset, reason, detail, value)"
        " VALUES ('identity', gen_random_uuid(), 'events', 0, 0, 'invalid_json', '', '')"
    )
    await database.execute(
        "INSERT INTO members (log_id, consumer_group, member, expires_at) VALUES"
        " (gen_random_uuid(), 'identity', 'a', now() + interval '9 s'),"
        " (gen_random_uuid(), 'identity', 'a', now() + interval '9 s'),"
        " (gen_random_uuid(), 'attributor', 'b', now() - interval '9 s')"
    )
    look = await watcher.look()
    notes = look.notes["attributor"]
    assert (notes.waiting, notes.failing, round(notes.oldest_seconds, -1)) == (2, 1, 3600)
    assert look.letters == {"identity": 1}
    assert look.consumers == {"identity": 1}


async def test_a_won_deal_balances_with_its_current_entry_under_every_model(watcher, database):
    await put_deal(database, WON)
    await put_deal(database, Deal("2", stage="open", closed=None))
    await put_deal(database, Deal("3", amount=0))
    assert (await watcher.look()).unbalanced_deals == 0


async def broken(watcher, database, statement):
    await put_deal(database, WON)
    await put_deal(database, Deal("2"))
    await database.execute(REWRITES_LEDGER + statement)
    return (await watcher.look()).unbalanced_deals


async def test_a_won_deal_without_an_entry_does_not_balance(watcher, database):
    await put_deal(database, WON)
    await database.execute(REWRITES_LEDGER + "DELETE FROM credits; DELETE FROM entries")
    assert (await watcher.look()).unbalanced_deals == 1


async def test_a_model_without_credits_does_not_balance(watcher, database):
    assert await broken(watcher, database, "DELETE FROM credits WHERE deal_id = '1' AND model = 'last_touch'") == 1


async def test_an_amount_that_changed_without_its_credits_does_not_balance(watcher, database):
    assert await broken(watcher, database, "UPDATE deals SET amount = amount + 1 WHERE deal_id = '1'") == 1


async def test_a_currency_that_changed_without_its_credits_does_not_balance(watcher, database):
    assert await broken(watcher, database, "UPDATE deals SET currency = 'USD' WHERE deal_id = '1'") == 1


async def test_credits_that_do_not_sum_to_the_amount_do_not_balance(watcher, database):
    await database.execute("ALTER TABLE credits DROP CONSTRAINT credits_sum_to_the_amount")
    assert await broken(watcher, database, "UPDATE credits SET amounts = amounts[1:1] || 0::bigint WHERE model = 'linear' AND deal_id = '1'") == 1  # fmt: skip


async def test_credits_of_a_deal_that_is_won_no_more_do_not_balance(watcher, database):
    assert await broken(watcher, database, "UPDATE deals SET stage = 'lost' WHERE deal_id = '1'") == 1


async def test_only_the_current_entry_counts(watcher, database):
    await put_deal(database, Deal("1", stage="lost"))
    await put_entry(database, WON, until="2026-03-11 13:00")
    assert (await watcher.look()).unbalanced_deals == 0


async def test_the_next_look_checks_the_deals_behind_those_of_the_last(watcher, database, monkeypatch):
    monkeypatch.setattr("services.reports.watch.PAGE_DEALS", 2)
    for number in range(1, 6):
        await put_deal(database, Deal(str(number)))
    await database.execute("UPDATE deals SET amount = 1 WHERE deal_id = '5'")
    assert [(await watcher.look()).unbalanced_deals for _ in range(3)] == [0, 0, 1]


async def test_while_postgres_is_away_nothing_old_is_told_and_the_watcher_comes_back(
    own_postgres, tmp_path, settings_for
):
    settings = settings_for(own_postgres.dsn, tmp_path)

    def figures():
        return [sample for family in watcher.collect() for sample in family.samples]

    async with (
        connect(own_postgres.dsn, application="reports", read_only=True) as reading,
        open_history(settings) as logs,
    ):
        watcher = Watcher(Store(reading, rules_of(settings)), reading, logs)
        await watcher._try_to_look(ready=True)
        assert figures()
        await asyncio.to_thread(own_postgres.stop, 0)
        async with asyncio.timeout(15):
            await watcher._try_to_look(ready=True)
        assert figures() == []
        await asyncio.to_thread(own_postgres.start)
        await watcher._try_to_look(ready=False)
        assert figures() == []
        await watcher._try_to_look(ready=True)
        assert figures()


async def test_it_looks_as_soon_as_the_service_is_ready(watcher):
    health = Health()
    task = asyncio.create_task(watcher.run(health))
    await asyncio.sleep(0)
    health.set("postgres", True)
    async with asyncio.timeout(10):
        while not any(family.samples for family in watcher.collect()):
            await asyncio.sleep(0.05)
    task.cancel()
