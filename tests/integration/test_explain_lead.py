"""`explain-lead`: what it says of joins, refusals and visits."""

import pytest

from schemas.identifier import identifier_id
from services.reports.explain_lead import explain_lead
from services.reports.questions import Refusal
from tests.builders import GOOGLE_AD, ID_KEY, at, contact, deal, form, make_event, page
from tests.closing import Loop
from tests.conftest import make_settings

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def explained(loop: Loop, loop_dsn, tmp_path):
    """Asks for the page of a lead, and answers its sections as lines of cells."""
    settings = make_settings(loop_dsn, tmp_path, id_key=ID_KEY + " of 16")

    async def explained(who):
        page = await explain_lead(loop.database, settings, str(identifier_id(who, ID_KEY)), at(day=31))
        sections = (section.splitlines() for section in page.split("\n\n"))
        return {title: [line.split("  ") for line in lines[1:]] for title, *lines in sections}

    return explained


def lines(section):
    return [" | ".join(cell.strip() for cell in line if cell.strip()) for line in section]


JOINED = "Joined, by the first event that carried both"
OWNED = "Visits and offline touches"


def login(visitor, event_id, moment, email, user_id):
    return make_event("identify", event_id, moment, visitor_id=visitor, email=email, user_id=user_id)


async def test_each_two_identifiers_are_told_with_the_first_event_that_carried_both(loop: Loop, explained):
    await loop.take(
        login("v1", "later", at(day=4), ANN, "42"),
        login("v2", "first", at(day=2), ANN, "42"),
        make_event("identify", "server", at(day=3), user_id="42", previous_id="41"),
        contact("c1", at(day=6), "901", ANN, provider="hubspot"),
        deal("7", "d1", at(day=5), "open", provider="hubspot", contacts=[{"email": ANN, "contact_id": 901}]),
        deal("7", "d2", at(day=7), "open", provider="hubspot", contacts=[{"email": BOB}, {"contact_id": 901}]),
    )
    assert lines((await explained("user:41"))[JOINED]) == [
        f"email:{ANN} + user:42 | identify first | 2026-01-02 00:00",
        "user:41 + user:42 | identify server | 2026-01-03 00:00",
        f"crm:hubspot:901 + email:{ANN} | deal d1 | 2026-01-05 00:00",
    ]


async def test_a_contact_of_the_crm_joins_its_id_and_its_address(loop: Loop, explained):
    await loop.take(contact("c1", at(day=6), "901", ANN, provider="hubspot"))
    assert lines((await explained(f"email:{ANN}"))[JOINED]) == [
        f"crm:hubspot:901 + email:{ANN} | contact c1 | 2026-01-06 00:00"
    ]


async def test_a_record_whose_event_id_is_taken_joins_as_well(loop: Loop, explained):
    await loop.take(form("v1", "e1", at(day=1), BOB), login("v1", "e1", at(day=2), ANN, "42"))
    assert lines((await explained("user:42"))[JOINED]) == [f"email:{ANN} + user:42 | identify e1 | 2026-01-02 00:00"]


async def test_what_was_refused_is_told_with_the_reason(loop: Loop, explained):
    office = [login(f"v{n}", f"e{n}", at(day=n), f"p{n}@example.org", "office") for n in range(1, 7)]
    await loop.take(
        *office,
        login("v9", "married", at(day=9), "p1@example.org", "42"),
        make_event("unlink", "u1", at(day=10), a="email:p1@example.org", b="user:42"),
    )
    told = lines((await explained("email:p1@example.org"))["Refused"])
    assert told == [
        "email:p1@example.org + user:office | user:office is shared, it was seen with 6 e-mails: it connects and names nobody",
        "email:p1@example.org + user:42 | held apart by the unlink u1 of 2026-01-10 00:00",
    ]
    assert len((await explained("user:office"))["Refused"]) == 6
    await loop.take(make_event("unlink", "u2", at(day=11), a="user:42", b="email:p1@example.org", undo=True))
    assert len((await explained("email:p1@example.org"))["Refused"]) == 1


async def test_what_stood_for_an_id_and_is_none_is_told_with_its_event(loop: Loop, explained):
    await loop.take(form("v1", "e1", at(day=3), ANN, user_id="null", previous_id="[object Object]"))
    assert lines((await explained(f"email:{ANN}"))["Refused"]) == [
        "previous:[object Object] | is nobody's id; form e1 of 2026-01-03 00:00 gave it",
        "user:null | is nobody's id; form e1 of 2026-01-03 00:00 gave it",
    ]


async def test_a_mailbox_of_many_is_told_by_the_ids_it_was_seen_with(loop: Loop, explained):
    await loop.take(*(contact(f"c{n}", at(day=n), str(n), ANN, provider="hubspot") for n in range(1, 7)))
    (reason, *_) = lines((await explained("crm:hubspot:1"))["Refused"])
    assert reason.endswith(
        f"email:{ANN} is shared, it was seen with 6 contact ids of hubspot: it connects and names nobody"
    )


async def test_visits_are_told_in_order_with_the_rule_that_makes_them_the_leads(loop: Loop, explained):
    await loop.take(
        page("v1", "e1", at("09:00", 1), GOOGLE_AD),
        form("v1", "e2", at("09:00", 2), ANN),
        make_event("touch", "fair", at("10:00", 3), visitor_id="v1", source="fair", medium="offline", name="[red] fair"),
        page("v1", "e4", at("09:00", 4)),
    )  # fmt: skip
    assert [line.split(" | ")[-1] for line in lines((await explained(f"email:{ANN}"))[OWNED])] == [
        "the first identified after it",
        "it was identified in it",
        "owns the last visit before it",
        "the last identified before it",
    ]
    assert "[red] fair" in lines((await explained(f"email:{ANN}"))[OWNED])[2]


@pytest.mark.parametrize("who", ["nobody@example.org", "email:nobody@example.org", "user:7", "7", "", "unlink:x"])
async def test_who_is_not_there_is_told_how_to_ask(loop: Loop, loop_dsn, tmp_path, who):
    with pytest.raises(Refusal) as refusal:
        await explain_lead(loop.database, make_settings(loop_dsn, tmp_path), who, at())
    assert "user:42" in str(refusal.value)
