"""Migrations and the first rules on a real Postgres."""

import asyncio

import pytest

from schemas.topics import TOPICS
from services.runtime.migrate import migrate, read_migrations
from services.runtime.postgres import connect, load_queries
from services.runtime.rules import adopt_rules, differences, rules_of
from services.runtime.settings import StartError

NAMES = [migration.name for migration in read_migrations()]


def silent(line):
    pass


async def test_an_empty_database_gets_every_file_once_and_is_told_each(empty_dsn):
    told = []
    assert await migrate(empty_dsn, told.append) == NAMES
    assert [line.removeprefix("migrating: ") for line in told] == NAMES
    assert await migrate(empty_dsn, silent) == []


async def test_programs_that_migrate_at_once_apply_each_file_once(empty_dsn):
    applied = await asyncio.gather(*(migrate(empty_dsn, silent) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == NAMES


async def test_the_topics_get_their_partitions_and_keep_their_offsets(empty_dsn):
    await migrate(empty_dsn, silent)
    async with connect(empty_dsn, application="test") as database:
        await database.execute("UPDATE log.heads SET next_offset = 7 WHERE topic = 'deals'")
        await migrate(empty_dsn, silent)
        rows = await database.fetch("SELECT topic, count(*), max(next_offset) FROM log.heads GROUP BY topic")
    assert {row["topic"]: row["count"] for row in rows} == dict(TOPICS)
    assert {row["topic"]: row["max"] for row in rows} == {"events": 0, "deals": 7}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param(
            "UPDATE migration.journal SET checksum = 'x' WHERE number = 1", "0001_log.sql is not", id="edited"
        ),
        pytest.param("INSERT INTO migration.journal VALUES (9999, '9999_x.sql', 'x')", "newer version", id="newer"),
        pytest.param(
            "DELETE FROM log.heads WHERE topic = 'events'; INSERT INTO log.heads VALUES ('events', 8)",
            "has 9 partitions",
            id="cut",
        ),
    ],
)
async def test_a_database_that_does_not_fit_is_refused_with_one_line(dsn, change, line):
    async with connect(dsn, application="test") as database:
        await database.execute(change)
    with pytest.raises(StartError, match=line) as refusal:
        await migrate(dsn, silent)
    assert "\n" not in str(refusal.value)


async def test_a_file_that_fails_leaves_nothing_of_itself(empty_dsn, monkeypatch):
    broken = read_migrations()[0]._replace(sql="CREATE TABLE public.half (a int); SELECT 1/0;")
    monkeypatch.setattr("services.runtime.migrate.read_migrations", lambda: [broken])
    with pytest.raises(Exception, match="division by zero"):
        await migrate(empty_dsn, silent)
    monkeypatch.undo()
    assert await migrate(empty_dsn, silent) == NAMES


BEFORE_NUMBERS = """
INSERT INTO state.visitors VALUES ('ann'), ('bob');
INSERT INTO state.hits (visitor_id, event_id, occurred_at, rank, type, internal, only_referrer, url, click_ids, identifiers)
SELECT v, e, '2026-03-01 09:00Z'::timestamptz + n * interval '1 minute', gen_random_uuid(), 'pageview', false, true,
       'https://shop.example/' || e, '[["gclid", "x"]]', ARRAY[gen_random_uuid()]
FROM unnest(ARRAY['ann', 'bob']) v, unnest(ARRAY['e1', 'e2', 'e2']) WITH ORDINALITY AS hit (e, n);
INSERT INTO state.visits (visitor_id, started_at, touch_id, last_at, hits, channel, source, medium, landing_page, owner)
VALUES ('ann', '2026-03-01 09:01Z', 'e1', '2026-03-01 09:02Z', 2, 'Direct', '(direct)', '(none)', 'https://shop.example/e1', gen_random_uuid()),
       ('bob', '2026-03-01 09:01Z', 'e1', '2026-03-01 09:02Z', 2, 'Email', 'news', 'email', NULL, NULL);
INSERT INTO state.carriers SELECT identifiers[1], visitor_id, occurred_at, occurred_at FROM state.hits;
"""
PUBLISHED = (
    "SELECT * FROM touch ORDER BY visitor_id",
    "SELECT visitor_id, touch_id, occurred_at, last_at, hits, channel, owner, owned_by FROM visit ORDER BY visitor_id",
    "SELECT visitor_id, event_id, occurred_at, type, url FROM hit ORDER BY visitor_id, event_id",
    "SELECT * FROM carried ORDER BY identifier",
)


async def test_visitors_get_numbers_and_what_is_published_of_them_stays_as_it_was(empty_dsn, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("services.runtime.migrate.read_migrations", lambda: read_migrations()[:8])
        await migrate(empty_dsn, silent)
    async with connect(empty_dsn, application="test") as database:
        await database.execute(BEFORE_NUMBERS)
        before = [await database.fetch(query) for query in PUBLISHED]
        assert await migrate(empty_dsn, silent) == NAMES[8:]
        assert [await database.fetch(query) for query in PUBLISHED] == before
        assert list(map(len, before)) == [1, 2, 4, 6]
        assert await database.fetchval("SELECT count(DISTINCT number) FROM visitors") == 2


async def test_every_query_of_the_runtime_is_understood_by_the_migrated_database(database):
    async with database.connection() as connection:
        for name, query in load_queries("services.runtime"):
            if ";" not in query.rstrip(";"):
                assert await connection.prepare(query), name


async def test_the_first_start_stores_its_rules_and_later_ones_keep_them(database, settings_for, dsn, tmp_path):
    first = settings_for(dsn, tmp_path, own_domains="b.example, a.example", timezone="Europe/Berlin")
    second = settings_for(dsn, tmp_path, lookback_days=30)
    stored = await adopt_rules(database, first)
    assert stored == rules_of(first)
    assert await adopt_rules(database, second) == stored
    assert len(differences(stored, rules_of(second))) == 3


async def test_rules_of_a_program_that_did_not_name_its_lists_get_those_of_the_first_that_does(
    database, settings_for, dsn, tmp_path
):
    settings = settings_for(dsn, tmp_path)
    await adopt_rules(database, settings)
    for lists, kept in (("rules - 'lists'", rules_of(settings).lists), ("""rules || '{"lists": "older"}'""", "older")):
        await database.execute(f"UPDATE rules SET rules = {lists}")
        assert (await adopt_rules(database, settings)).lists == kept


async def test_services_that_start_at_once_agree_on_the_rules(database, settings_for, dsn, tmp_path):
    settings = [settings_for(dsn, tmp_path, lookback_days=days) for days in (10, 20, 30, 40)]
    assert len(set(await asyncio.gather(*(adopt_rules(database, one) for one in settings)))) == 1
