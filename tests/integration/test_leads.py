"""The record of a lead and its history: from events to what the API and `explain-lead` say of a person."""

from datetime import timedelta
from random import Random

import httpx
import pytest
import pytest_asyncio

from schemas.identifier import identifier_id
from schemas.score import ScorePart, ScoreRules
from services.reports.app import create_app
from services.reports.explain_lead import explain_lead
from services.reports.store import Store
from services.runtime.rules import rules_of
from tests.builders import GOOGLE_AD, ID_KEY, NEWSLETTER, SITE, at, contact, deal, delivery, form, make_event, page
from tests.closing import Loop
from tests.conftest import make_settings

ANN, BOB = "ann@example.org", "bob@example.org"
NOW = at(day=31)
SCORE = ScoreRules(
    threshold=50,
    parts={
        "visits": ScorePart(counts="visit", points=10, at_most=30),
        "forms": ScorePart(counts="form", points=20, at_most=40),
        "pricing": ScorePart(counts="pageview", path="/pricing", points=5, at_most=5),
        "mail": ScorePart(counts="email_open", points=1, at_most=10, half_life_days=10),
    },
)


@pytest.fixture
def settings(loop_dsn, tmp_path):
    return make_settings(loop_dsn, tmp_path, score=SCORE)


@pytest_asyncio.fixture
async def client(loop: Loop, settings):
    app = create_app(Store(loop.database, rules_of(settings)), [], settings, now=lambda: NOW)
    token = settings.admin_token.get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://reports", headers={"authorization": f"Bearer {token}"}
    ) as client:
        yield client


async def get(client, identifier, path="", **query):
    answer = await client.get(f"/api/v1/leads/{identifier_id(identifier, ID_KEY)}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def explained(loop, settings, who):
    return await explain_lead(loop.database, settings, who, NOW)


def identify(visitor, event_id, moment, **person):
    cookie = {} if visitor is None else {"visitor_id": visitor, "url": SITE, "referrer": SITE}
    return make_event("identify", event_id, moment, person=person, **cookie)


def day(number):
    """An instant as the API writes it."""
    return f"2026-01-{number:02}T00:00:00.000000Z"


STORY = (
    page("v1", "ad", at(day=1), GOOGLE_AD),
    page("v1", "pricing", at("00:05", 1), SITE + "pricing", title="Prices"),
    form("v1", "asks", at(day=3), ANN, fields={"email": ANN, "company": "Acme", "phone": "1"}, name="contact"),
    identify("v2", "signs in", at(day=5), email=ANN, user_id="42", traits={"company": "Acme Ltd", "id": "42"}),
    make_event("email_open", "opens", at(day=6), email=ANN, name="march"),
    contact("in the CRM", at(day=7), "901", ANN, provider="hubspot"),
    make_event("touch", "fair", at(day=8), email=ANN, name="Fair", channel="Events", source="fair", medium="offline"),
    deal("7", "opened", at(day=9), "open", created_at=day(9), contacts=[{"email": ANN}]),
    deal("7", "won at last", at(day=11), created_at=day(9), closed_at=day(11), contacts=[{"email": ANN}]),
)


async def test_a_lead_tells_who_it_is_where_it_came_from_and_how_far_it_has_come(loop: Loop, client):
    await loop.take(*STORY)
    lead = await get(client, "user:42")
    assert lead["identifiers"] == ["crm:hubspot:901", f"email:{ANN}", "user:42"]
    assert (lead["first_seen"], lead["last_seen"]) == (day(1), day(8))
    assert (lead["first_channel"], lead["first_source"]) == ("Paid Search", "google")
    assert lead["traits"] == {
        "company": {"value": "Acme Ltd", "at": day(5)}, "phone": {"value": "1", "at": day(3)},
    }  # fmt: skip
    assert lead["stage"] == "customer"
    assert [(stage["stage"], stage["at"], stage["holds"]) for stage in lead["stages"]] == [
        ("visitor", day(1), True),
        ("lead", day(3), True),
        ("marketing-qualified", day(5), True),
        ("sales-qualified", day(7), True),
        ("opportunity", day(9), True),
        ("customer", day(11), True),
    ]
    assert lead["score"] == pytest.approx(30 + 20 + 5 + 0.18)
    assert lead["score"] == round(sum(piece["points"] for piece in lead["score_parts"]), 2)
    assert lead["score_parts"][-1] == {"part": "mail", "at": day(6), "points": 0.18}


async def test_the_record_is_the_same_whatever_order_its_events_came_in(loop: Loop, client):
    await loop.take(*STORY)
    told = await get(client, "user:42", "/journey")
    for seed in (1, 2):
        await loop.empty()
        await loop.take(*Random(seed).sample([*STORY, STORY[2], STORY[8]], len(STORY) + 2))
        assert await get(client, "user:42", "/journey") == told


async def test_a_history_has_everything_in_order(loop: Loop, client):
    await loop.take(*STORY)
    journey = await get(client, "user:42", "/journey")
    assert [(touch["touch_id"], touch["channel"]) for touch in journey["touches"]] == [
        ("ad", "Paid Search"), ("asks", "Direct"), ("signs in", "Direct"), ("fair", "Events"),
    ]  # fmt: skip
    assert [deal["id"] for deal in journey["deals"]] == ["webhook:7"]
    assert [(entry["at"], *told(entry)) for entry in journey["timeline"]] == [
        (day(1), "visit", "ad"),
        (day(1), "hit", "ad"),
        ("2026-01-01T00:05:00.000000Z", "hit", "pricing"),
        (day(3), "visit", "asks"),
        (day(3), "hit", "asks"),
        (day(3), "identifier", f"email:{ANN}"),
        (day(5), "visit", "signs in"),
        (day(5), "hit", "signs in"),
        (day(5), "identifier", "user:42"),
        (day(6), "statement", "opens"),
        (day(7), "identifier", "crm:hubspot:901"),
        (day(8), "touch", "fair"),
        (day(9), "deal", "open"),
        (day(11), "deal", "won"),
    ]
    assert journey["before"] is None
    _, _, pricing, *_, won = journey["timeline"]
    assert pricing == {
        "kind": "hit", "at": "2026-01-01T00:05:00.000000Z", "type": "pageview", "event_id": "pricing", "visitor_id": "v1",
        "touch_id": "ad", "url": SITE + "pricing", "title": "Prices", "name": None,
    }  # fmt: skip
    assert won == {
        "kind": "deal", "at": day(11), "deal": "webhook:7", "stage": "won", "amount": "100.00", "currency": "EUR",
    }  # fmt: skip


def told(entry):
    names = {"visit": "touch_id", "hit": "event_id", "touch": "touch_id", "identifier": "identifier", "deal": "stage"}
    return entry["kind"], entry[names.get(entry["kind"], "event_id")]


async def test_pages_of_any_size_make_up_the_whole_history(loop: Loop, client):
    """Visits of two devices overlap, one of them for hours; many things happen at one instant."""
    random = Random(7)
    hits = [
        page(f"v{number % 3}", f"e{number}", at("09:00", 1) + timedelta(minutes=5 * random.randrange(120)))
        for number in range(60)
    ]
    signed_in = [form(f"v{number}", f"form {number}", at("20:00", 1), ANN) for number in range(3)]
    for each in [*hits, *signed_in]:
        await loop.handle([delivery(each)])
    await loop.settle()
    whole = (await get(client, f"email:{ANN}", "/journey", limit="1000"))["timeline"]
    assert len([entry for entry in whole if entry["kind"] == "hit"]) == 63
    assert whole == sorted(whole, key=lambda entry: entry["at"])
    for limit in (1, 2, 7, 50):
        pages, before = [], ""
        while before is not None:
            answer = await get(client, f"email:{ANN}", "/journey", limit=str(limit), before=before)
            pages, before = [*answer["timeline"], *pages], answer["before"]
        assert pages == whole


async def test_each_visit_and_offline_touch_says_by_which_rule_it_is_the_leads(loop: Loop, client):
    await loop.take(
        page("v1", "e1", at("09:00", 1)),
        form("v1", "e2", at("09:00", 2), ANN),
        page("v1", "e3", at("09:00", 3), NEWSLETTER),
        make_event("touch", "called", at("10:00", 3), visitor_id="v1", source="phone"),
        make_event("touch", "met", at("10:00", 1) - timedelta(days=2), visitor_id="v1", source="fair"),
        make_event("touch", "wrote", at("11:00", 3), email=ANN, source="letter"),
    )
    timeline = (await get(client, f"email:{ANN}", "/journey"))["timeline"]
    assert {entry["touch_id"]: entry["owned_by"] for entry in timeline if "owned_by" in entry} == {
        "e1": "later", "e2": "identified", "e3": "earlier", "called": "earlier", "met": "later", "wrote": "named",
    }  # fmt: skip


def says(event_id, on, fields, visitor="v1", email=ANN):
    return form(visitor, event_id, at(day=on), email, fields=fields)


ULM, BONN = {"city": "Ulm"}, {"city": "Bonn"}
NOTHING = {"city": " ", "age": None}
NAMES = {"E-Mail": ANN, "your_address": "Ann@example.org"}
TRAITS = [
    ("the last word by time counts, not by arrival", [says("b", 2, ULM), says("a", 1, BONN)], ULM),
    ("at one instant the greater event id counts", [says("b", 1, ULM), says("a", 1, BONN, visitor="v2")], ULM),
    ("an empty answer takes nothing back", [says("a", 1, ULM | {"age": 0}), says("b", 2, NOTHING)], ULM | {"age": 0}),
    ("an identifier is no trait", [says("a", 1, NAMES | {"size": 4})], {"size": 4}),
    ("of two bodies under one event id the earlier counts", [says("a", 2, ULM), says("a", 1, BONN)], BONN),
    ("without consent to be recognised the form still speaks", [says("a", 1, ULM, visitor=None)], ULM),
    ("another on the same laptop speaks of himself", [says("a", 1, ULM), says("b", 2, BONN, email=BOB)], ULM),
    ("a page says nothing of who is there", [page("v1", "a", at(), person={"email": ANN, "traits": ULM})], {}),
]


@pytest.mark.parametrize(("events", "traits"), [pytest.param(*case, id=name) for name, *case in TRAITS])
async def test_traits_are_what_forms_and_identify_calls_said_last(loop: Loop, client, events, traits):
    await loop.take(*events)
    told = (await get(client, f"email:{ANN}"))["traits"]
    assert {name: trait["value"] for name, trait in told.items()} == traits


async def test_a_lead_that_only_a_crm_knows_was_seen_when_it_was_first_named(loop: Loop, client):
    await loop.take(contact("c1", at(day=4), "901", ANN, provider="hubspot"))
    lead = await get(client, f"email:{ANN}")
    assert (lead["first_seen"], lead["last_seen"], lead["first_source"]) == (day(4), day(4), None)
    assert (lead["stage"], lead["score"], lead["score_parts"]) == ("sales-qualified", 0, [])


async def test_a_deleted_deal_makes_nobody_an_opportunity(loop: Loop, client):
    opened = deal("7", "opened", at(day=2), "open", contacts=[{"email": ANN}])
    await loop.take(form("v1", "a", at(day=1), ANN), opened, deal("7", "gone", at(day=3), "deleted"))
    journey = await get(client, f"email:{ANN}", "/journey")
    assert journey["stage"] == "lead"
    assert [entry["kind"] for entry in journey["timeline"]] == ["visit", "hit", "identifier"]


async def test_a_cursor_that_is_none_is_refused(loop: Loop, client):
    await loop.take(form("v1", "a", at(day=1), ANN))
    lead = identifier_id(f"email:{ANN}", ID_KEY)
    answer = await client.get(f"/api/v1/leads/{lead}/journey", params={"before": "yesterday"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_before")
