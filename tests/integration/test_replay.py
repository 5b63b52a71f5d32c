"""A replay beside the real services: the same state, or exactly what changed rules move, and a ledger that forgets nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import SecretStr

from attributor.__main__ import serve as attributor
from identity.__main__ import serve as identity
from schemas.credit import MODELS, models_text, parse_models
from services.local import replay_reading
from services.local.replay import Wish, replay
from services.local.replay_states import REPLAY, claim, drop, make_new
from services.reports.digest import PARTS, digest_parts
from services.reports.store import Store
from services.runtime import leases
from services.runtime.lifecycle import Service
from services.runtime.postgres import STATE, Database, connect
from services.runtime.rules import Replaced, adopt_rules, fingerprint_of_lists, rules_of
from services.runtime.settings import Settings, SettingsError, StartError
from tests.builders import at, deal, form, page
from tests.closing import differences, present
from tests.faulty import Site, open_site, until
from tests.heard import Heard
from tests.histories import make_history
from tests.reference import present_state

SEED = 4
OWN = "blog.example"
ANN = {"contacts": [{"email": "ann@x.org"}]}
MOVING = [
    page("v1", "e1", at("09:00"), referrer="https://blog.example/offer"),
    page("v1", "e2", at("15:00", 2), url="https://shop.example/?utm_source=news&utm_medium=email"),
    form("v1", "e3", at("15:05", 2), "ann@x.org"),
    page("v2", "e4", at("10:00"), referrer="https://other.example/"),
    form("v2", "e5", at("10:05"), "ben@x.org"),
    deal("D-1", "d1", at("12:00", 9), **ANN),
    deal("D-2", "d2", at("12:00", 9), contacts=[{"email": "ben@x.org"}]),
]
"""Under other own domains only v1's first visit has another channel, and only D-1 is credited to it."""

CREDIT_AGAIN = """
INSERT INTO notes (consumer_group, kind, key) VALUES ('attributor', 'deal', '["crm", "D-1", "touch arrived"]')
"""


@pytest.fixture
async def site(
    dsn: str, tmp_path: Path, settings_for: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.1)  # how soon the services notice that they are to hold still
    monkeypatch.setattr(replay_reading, "LOOK_SECONDS", 0.02)
    async with open_site(settings_for(dsn, tmp_path)) as site:
        yield site


@asynccontextmanager
async def running(site: Site, each: int = 1) -> AsyncIterator[None]:
    """Identity and attributor as their processes run them, so many of each."""
    programs = [("identity", identity), ("attributor", attributor)] * each
    services = [(Service(name, site.settings), serve) for name, serve in programs]
    tasks = [asyncio.create_task(serve(service)) for service, serve in services]
    try:
        yield
    finally:
        for service, _ in services:
            service.stopping.set()
        await asyncio.gather(*tasks)


def changed(site: Site) -> Settings:
    return site.settings.model_copy(update={"own_domains": (OWN,)})


async def money(site: Site) -> list[Any]:
    """By model and channel, from the ledger in force."""
    return await site.database.fetch(
        "SELECT model, t.channel, sum(t.amount) AS amount FROM entries JOIN credits USING (provider, deal_id, version)"
        " CROSS JOIN LATERAL unnest(channel, amounts) AS t (channel, amount) WHERE superseded_at IS NULL"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )


async def as_it_stood(site: Site, moment: Any) -> list[Any]:
    """Every entry of the ledger that held at a moment, with its credits."""
    return await site.database.fetch(
        "SELECT provider, deal_id, version, channel, cause, model, amounts FROM entries"
        " JOIN credits USING (provider, deal_id, version)"
        " WHERE recorded_at <= $1 AND coalesce(superseded_at, 'infinity') > $1 ORDER BY 1, 2, 3, 6",
        moment,
    )


async def schemas(site: Site) -> set[str]:
    rows = await site.database.fetch("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(state|replay)'")
    return {row["nspname"] for row in rows}


async def append_slowly(site: Site, events: Sequence[dict[str, Any]]) -> None:
    for event in events:
        await site.append(event)
        await asyncio.sleep(0.01)


async def test_replays_under_changed_and_under_the_same_rules_lose_and_double_nothing_that_comes_in(site: Site) -> None:
    """The last one derives everything anew, also what the services have derived since the one before it."""
    print(f"seed {SEED}")
    events = make_history(Random(SEED), 400)
    searches_are_ours = site.settings.model_copy(update={"own_domains": ("google.com", "bing.com")})
    async with running(site, 2):
        await site.append(*events[:200])
        await site.caught_up("identity", "attributor")
        before = await site.database.fetchval("SELECT clock_timestamp()")
        ledger = await as_it_stood(site, before)
        sending = asyncio.create_task(append_slowly(site, events[200:]))
        for rules in (searches_are_ours, site.settings):
            heard = Heard()
            assert await replay(rules, Wish(yes=True), heard) == 0
            assert "Touches of another channel: " in heard.page
        proving = Heard()
        assert await replay(site.settings, Wish(), proving) == 0, proving.page
        assert [line.split()[2] for line in proving.lines if line.startswith("  ")] == ["equal" for _ in PARTS]
        await sending
        await site.caught_up("identity", "attributor")
    assert await as_it_stood(site, before) == ledger
    assert differences(await present(site.database), present_state(events)) == []
    assert await schemas(site) == {"state", "state_before"}
    causes = {row["cause"] for row in await site.database.fetch("SELECT DISTINCT cause FROM entries")}
    assert "rules changed" in causes
    assert "replayed" not in causes, "what is equal stays as it was"


async def test_a_dry_run_lists_exactly_what_changed_rules_would_move_and_changes_nothing(site: Site) -> None:
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
        digests, was = await digest_parts(site.database), await money(site)
        heard = Heard()
        assert await replay(changed(site), Wish(dry_run=True), heard) == 0
        await site.append(page("v9", "later", at(day=9)))
        await site.caught_up("identity", "attributor")
    assert f"CLOSEDLOOP_OWN_DOMAINS: (none) -> {OWN}" in heard.lines
    moves = heard.page.partition("Touches of another channel: ")[2].splitlines()
    assert moves[:4] == [
        "1",
        "          1  Referral -> Direct",
        "Touches of another lead: 0, of 0 leads",
        "Deals credited otherwise: 1 of 2",
    ]
    assert "    Referral                            150.00 ->          100.00" in moves
    assert "    Direct                                0.00 ->           50.00" in moves
    assert heard.lines[-1] == "Nothing was changed."
    assert await schemas(site) == {"state"}
    assert {**await digest_parts(site.database), "visits": ""} == {**digests, "visits": ""}
    assert await money(site) == was
    assert await Store(site.database, rules_of(changed(site))).rules() == rules_of(site.settings)


async def test_changed_rules_take_effect_and_the_ledger_says_so(site: Site) -> None:
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
        before = await site.database.fetchval("SELECT clock_timestamp()")
        ledger = await as_it_stood(site, before)
        heard = Heard(answer=True)
        assert await replay(changed(site), Wish(), heard) == 0
        assert heard.questions == ["Put the new state in force?"]
        await site.append(page("v3", "e9", at(day=3), referrer=f"https://{OWN}/"))
        await site.caught_up("identity", "attributor")
    assert await site.database.fetchval("SELECT channel FROM visit WHERE visitor_id = 'v3'") == "Direct", "rules of now"
    assert await as_it_stood(site, before) == ledger
    rows = await site.database.fetch("SELECT deal_id, cause, superseded_cause FROM entries ORDER BY deal_id, version")
    moved, stayed = ([tuple(row)[1:] for row in rows if row["deal_id"] == deal] for deal in ("D-1", "D-2"))
    assert moved[-2][1] == "rules changed"
    assert moved[-1] == ("rules changed", None)
    assert "rules changed" not in {cause for causes in stayed for cause in causes}


async def test_a_model_of_the_settings_is_credited_after_a_replay_and_can_be_taken_back(site: Site) -> None:
    ours, others = (
        site.settings.model_copy(update={"models": models_text(parse_models(text))})
        for text in ('{"ours": {"first": 1}}', '{"ours": {"last": 1}}')
    )
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
        digests = await digest_parts(site.database)
        for rules, same_as in ((ours, "first_touch"), (others, "last_touch")):
            heard = Heard()
            assert await replay(rules, Wish(yes=True), heard) == 0
            assert any(line.startswith("CLOSEDLOOP_MODELS: ") for line in heard.lines)
            given = [(row["channel"], row["amount"]) for row in await money(site) if row["model"] == "ours"]
            assert given == [(row["channel"], row["amount"]) for row in await money(site) if row["model"] == same_as]
        await site.append(deal("D-9", "e9", at(day=9), provider="crm", amount="7.00"))
        await site.caught_up("identity", "attributor")
        assert await site.database.fetchval("SELECT count(*) FROM credits WHERE deal_id = 'D-9'") == 1 + len(MODELS)
        await site.append(deal("D-9", "e10", at(day=10), "deleted", provider="crm"))
        await site.caught_up("identity", "attributor")
        assert await replay(site.settings, Wish(yes=True), Heard()) == 0
    assert (await digest_parts(site.database))["credits"] == digests["credits"]


async def test_lists_of_another_program_are_changed_rules(site: Site) -> None:
    """Here the newer ones know a host that was a referral for the older ones, which had no name for it."""
    events = [page("v1", "e1", at(day=1), referrer="https://duckduckgo.com/"), form("v1", "e2", at(day=1), "ann@x.org")]
    won = deal("D-1", "e3", at(day=2), provider="crm", contacts=[{"email": "ann@x.org"}], amount="50.00")
    await site.append(*events, won)
    async with running(site):
        await site.caught_up("identity", "attributor")
        digests = await digest_parts(site.database)
        await site.database.execute("UPDATE rules SET rules = jsonb_set(rules, '{lists}', '\"older\"')")
        await site.database.execute("UPDATE visits SET channel = 'Referral' WHERE channel = 'Organic Search'")
        await site.database.execute(CREDIT_AGAIN)
        await site.caught_up("attributor")
        heard = Heard()
        assert await replay(site.settings, Wish(yes=True), heard) == 0
        assert f"lists of known sources: older -> {fingerprint_of_lists()}" in heard.lines
        assert "          1  Referral -> Organic Search" in heard.lines
        assert await site.database.fetchval("SELECT cause FROM entries WHERE superseded_at IS NULL") == "rules changed"
    assert await digest_parts(site.database) == digests


async def test_who_says_no_keeps_the_state_and_its_rules(site: Site) -> None:
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
        digests = await digest_parts(site.database)
        assert await replay(changed(site), Wish(), Heard(answer=False)) == 0
    assert await digest_parts(site.database) == digests
    assert await schemas(site) == {"state"}


async def test_another_state_under_the_same_rules_is_refused_until_it_is_accepted(site: Site) -> None:
    """As after a program whose error is mended: what it derived once is not what this one derives."""
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
    await site.database.execute(
        "UPDATE visits SET channel = 'Display' FROM visitors WHERE number = visitor AND visitor_id = 'v2'"
    )
    refused, accepted = Heard(), Heard()
    assert await replay(site.settings, Wish(), refused) == 1
    assert "          1  Display -> Referral" in refused.lines
    assert "--accept" in refused.lines[-1]
    assert await site.database.fetchval("SELECT channel FROM visit WHERE visitor_id = 'v2'") == "Display"
    assert await replay(site.settings, Wish(accept=True), accepted) == 0
    assert differences(await present(site.database), present_state(MOVING)) == []


async def test_records_that_the_services_have_not_read_yet_are_read_for_both_states(site: Site) -> None:
    """A killed identity has stored facts of a batch that no position tells of; without services the replay goes on there."""
    await site.append(*MOVING)
    assert await replay(site.settings, Wish(), Heard()) == 0
    assert differences(await present(site.database), present_state(MOVING)) == []


MADE_OF = """
    SELECT relkind::text AS kind, relname AS name, pg_get_viewdef(oid) AS made FROM pg_class
    WHERE relnamespace = ($1::text)::regnamespace AND relkind IN ('r', 'v', 'S')
    UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = $1
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = ($1::text)::regnamespace
    UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = ($1::text)::regnamespace
    UNION ALL SELECT 'column', table_name || '.' || column_name, format('%s %s %s %s', ordinal_position, data_type,
        is_nullable, column_default) FROM information_schema.columns WHERE table_schema = $1
    ORDER BY 1, 2, 3
"""


async def test_the_new_state_is_made_of_the_same_and_stands_when_the_former_one_is_dropped(database: Database) -> None:
    async def made_of(schema: str) -> list[tuple[str, ...]]:
        rows = await database.fetch(MADE_OF, schema)
        return [tuple(str(cell).replace(f"{schema}.", "") for cell in row) for row in rows]

    log_id = await database.fetchval("SELECT log_id FROM log.identity")
    async with database.connection() as connection:
        await make_new(connection)
        assert await connection.fetchval("SELECT log_id FROM log.identity") == log_id
        new = await made_of(REPLAY)
        assert new == await made_of(STATE)
        await drop(connection, STATE)
        assert await made_of(REPLAY) == new


async def test_of_two_replays_at_once_the_second_says_so(site: Site) -> None:
    async with connect(site.dsn, application="first", size=1) as first, first.connection() as connection:
        await claim(connection)
        with pytest.raises(StartError, match="another `closedloop replay` is under way"):
            await replay(site.settings, Wish(), Heard())
    assert await replay(site.settings, Wish(), Heard()) == 0


async def test_with_another_key_of_the_leads_nothing_begins(site: Site) -> None:
    await site.append(*MOVING)
    assert await replay(site.settings, Wish(), Heard()) == 0
    other = site.settings.model_copy(update={"id_key": SecretStr("another key of leads")})
    with pytest.raises(SettingsError, match="CLOSEDLOOP_ID_KEY is not the key"):
        await replay(other, Wish(), Heard())


async def test_a_replay_begins_anew_where_a_killed_one_has_left_half_a_state(site: Site) -> None:
    await site.append(*MOVING)
    await site.database.execute("CREATE SCHEMA replay; CREATE TABLE replay.hits (half_made integer)")
    assert await replay(site.settings, Wish(), Heard()) == 0
    assert differences(await present(site.database), present_state(MOVING)) == []


async def test_the_switch_waits_for_a_long_report_and_lets_the_others_through(site: Site) -> None:
    await site.append(*MOVING)
    async with running(site):
        await site.caught_up("identity", "attributor")
        async with site.database.transaction() as report:
            await report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            seen = await report.fetchval("SELECT count(*) FROM visits")
            heard = Heard()
            replaying = asyncio.create_task(replay(site.settings, Wish(), heard))
            await until(heard.is_at("Putting the new state in force"))
            await asyncio.sleep(1)
            assert not replaying.done()
            assert len(await money(site)) > 0, "a short one gets in between"
            assert await report.fetchval("SELECT count(*) FROM visits") == seen
        assert await replaying == 0


async def test_who_began_under_the_former_state_writes_nothing_into_the_new_one(site: Site) -> None:
    """A consumer that slept through the switch with a batch in its hands, derived by the rules of then."""
    await site.append(*MOVING)
    async with connect(site.dsn, application="identity") as late:
        await adopt_rules(late, site.settings)
        async with late.transaction() as connection:
            await connection.execute("INSERT INTO visitors VALUES ('in time')")
        assert await replay(changed(site), Wish(yes=True), Heard()) == 0
        with pytest.raises(Replaced):
            async with late.transaction():
                pytest.fail("it got in")
        assert await adopt_rules(late, site.settings) == rules_of(changed(site))
        async with late.transaction() as connection:
            await connection.execute("INSERT INTO visitors VALUES ('anew')")


async def test_dead_letters_are_those_of_the_replay_and_what_was_tried_again_counts_as_tried(site: Site) -> None:
    await site.append_bytes(b"poison")
    async with running(site):
        await site.caught_up("identity")
        await site.retry()
        (old,) = await site.letters()
        assert old["tries"] == 2
        assert await replay(site.settings, Wish(), Heard()) == 0
    (new,) = await site.letters()
    assert (new["tries"], new["value"]) == (2, b"poison")
    assert new["id"] > old["id"]
