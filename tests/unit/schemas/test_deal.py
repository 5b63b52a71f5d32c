"""A deal's version: what it must say, and the state that it gives."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.codec import UndecodableError, model_of
from schemas.deal import Deal, DealEvent, deal_of
from schemas.instant import format_instant
from tests.builders import at, deal

UPDATED = at("12:00", day=10)


def read(zone: str = "UTC", **fields: Any) -> Deal:
    contacts = {"person": {"contacts": fields.pop("contacts")}} if "contacts" in fields else {}
    version = model_of({**deal("7", "e", UPDATED), **fields, **contacts})
    assert isinstance(version, DealEvent)
    return deal_of(version, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("fields", "created_at", "closed_at"),
    [
        pytest.param({}, UPDATED, UPDATED, id="won without dates: when that version was made"),
        pytest.param(
            {"closed_at": "2026-01-08"}, at("23:59:59.999999", 8), at("23:59:59.999999", 8), id="begun at the close"
        ),
        pytest.param({"created_at": "2026-01-02T10:00:00Z"}, at("10:00", 2), UPDATED, id="closed when it was updated"),
        pytest.param({"stage": "open"}, None, None, id="open without dates"),
        pytest.param({"stage": "lost", "created_at": "2026-01-02"}, at("23:59:59.999999", 2), None, id="lost"),
        pytest.param({"stage": "deleted"}, None, None, id="deleted"),
    ],
)
def test_a_deal_has_the_dates_of_its_version(fields: dict[str, Any], created_at: object, closed_at: object) -> None:
    state = read(**fields)
    assert (state.created_at, state.closed_at) == (created_at, closed_at)


def test_a_date_ends_where_the_company_is() -> None:
    closed_at = read("America/New_York", closed_at="2026-01-08").closed_at
    assert closed_at is not None
    assert format_instant(closed_at) == "2026-01-09T04:59:59.999999Z"


def test_contacts_are_all_identifiers_of_all_people_each_once() -> None:
    people = [{"email": "Zoe@x.org", "contact_id": 9}, {"contact_id": "9"}, {"email": "no address"}, {}]
    assert read(provider="hubspot", contacts=people).contacts == ("crm:hubspot:9", "email:zoe@x.org")


def test_a_deleted_deal_needs_only_its_ids_and_when() -> None:
    state = read(stage="deleted", amount=None, currency=None)
    assert (state.amount, state.currency, state.contacts) == (0, None, ())


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"amount": None}, "amount", id="won without an amount"),
        pytest.param({"currency": None}, "currency", id="an amount without a currency"),
        pytest.param({"amount": "-1"}, "negative", id="a negative amount"),
        pytest.param({"amount": "1.001"}, "decimals", id="more decimals than the currency has"),
        pytest.param({"amount": ""}, "decimal", id="an empty amount"),
        pytest.param({"currency": "EURO"}, "currency", id="no currency"),
        pytest.param({"closed_at": "yesterday"}, "RFC 3339", id="no date"),
        pytest.param({"closed_at": "2026-02-30"}, "day", id="a day that is not"),
        pytest.param({"stage": "signed"}, "stage", id="an unknown stage"),
        pytest.param({"deal_id": ""}, "deal_id", id="no id"),
        pytest.param({"updated_at": "2026-01-01"}, "updated_at", id="a date where an instant must be"),
    ],
)
def test_a_version_that_cannot_be_credited_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UndecodableError, match=complaint):
        read(**fields)
