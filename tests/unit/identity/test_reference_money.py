"""The reference model's money on cases worked out by hand: whose an offline touch is, which touches a deal has, what each earns."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from tests.builders import SITE, at, deal, form, make_event
from tests.reference import present_state
from tests.reference.counting import records_of, that_count
from tests.reference.deals import Journey, Touch
from tests.reference.models import MODELS, divided
from tests.reference.offline import offline_touches_of
from tests.reference.people import people_of
from tests.reference.visits import DIRECT, visits_of

ANN, BEN = "ann@x.org", "ben@x.org"

Event = dict[str, Any]


def offline_owner(*events: Event) -> str | None:
    """The e-mail address of whoever owns the one offline touch among these events."""
    counting = that_count(records_of(events))
    people = people_of(records_of(events), counting)
    (touch,) = offline_touches_of(counting, people, visits_of(counting, people))
    return next((name.removeprefix("email:") for name in sorted(touch.owner or ()) if name.startswith("email:")), None)


def call(when: datetime, **fields: Any) -> Event:
    return make_event("touch", "call", when, name="call", **fields)


OFFICE = [make_event("form", str(mail), at(), email=f"{mail}@x.org", user_id="office") for mail in range(6)]
WALK = [form("v", "1", at("01:00"), ANN), form("v", "2", at("09:00"), BEN)]


@pytest.mark.parametrize(
    ("events", "owner"),
    [
        pytest.param([call(at("10:00"), email=ANN)], ANN, id="its e-mail's lead"),
        pytest.param(
            [call(at("10:00"), user_id="42"), make_event("form", "1", at(), email=ANN, user_id="42")],
            ANN,
            id="its user's lead",
        ),
        pytest.param([call(at("10:00"), visitor_id="v", email=ANN), *WALK], ANN, id="named before visited"),
        pytest.param([call(at("10:00"), visitor_id="v"), *WALK], BEN, id="the last visit before it"),
        pytest.param([call(at("09:00"), visitor_id="v"), *WALK], BEN, id="a visit at its instant"),
        pytest.param([call(at("08:00"), visitor_id="v"), *WALK], ANN, id="the visit before"),
        pytest.param([call(at("00:30"), visitor_id="v"), *WALK], ANN, id="the first visit when there is none before"),
        pytest.param([call(at("10:00"), visitor_id="w"), *WALK], None, id="nobody's"),
        pytest.param(
            [call(at("10:00"), visitor_id="v", user_id="office"), *WALK, *OFFICE],
            BEN,
            id="a shared login names nobody",
        ),
    ],
)
def test_whose_an_offline_touch_is(events: list[Event], owner: str | None) -> None:
    assert offline_owner(*events) == owner


@pytest.mark.parametrize(
    ("words", "source"),
    [
        pytest.param(
            {"channel": "Fairs", "source": "expo"}, ("Fairs", "expo", "(not set)", None), id="its own channel"
        ),
        pytest.param(
            {"source": "Google", "medium": "CPC", "campaign": "spring"},
            ("Paid Search", "google", "cpc", "spring"),
            id="the channel that its words mean",
        ),
        pytest.param({}, ("Unassigned", "(not set)", "(not set)", None), id="no word at all"),
    ],
)
def test_where_an_offline_touch_came_from(words: dict[str, str], source: tuple[str | None, ...]) -> None:
    counting = that_count(records_of([call(at(), email=ANN, **words)]))
    (touch,) = offline_touches_of(counting, people_of(counting, counting), [])
    assert touch.source[:4] == source


def journey(count: int, lead: int = 0, deal_creation: int = 0) -> Journey:
    """Touches a week apart, all but the first direct."""
    search = ("Organic Search", "google", "organic", None, None, None)
    touches = [
        Touch(at() + timedelta(weeks=week), str(week), "v", DIRECT if week else search, SITE, None, None)
        for week in range(count)
    ]
    return Journey(None, touches, lead, deal_creation)


SHARES = [
    ("first_touch", journey(3), [1, 0, 0]),
    ("last_touch", journey(3), [0, 0, 1]),
    ("last_non_direct", journey(3), [1, 0, 0]),
    ("linear", journey(4), [Fraction(1, 4)] * 4),
    ("position_based", journey(2), [Fraction(1, 2)] * 2),
    ("position_based", journey(4), [Fraction(2, 5), Fraction(1, 10), Fraction(1, 10), Fraction(2, 5)]),
    ("j_shaped", journey(2), [Fraction(1, 4), Fraction(3, 4)]),
    ("j_shaped", journey(3), [Fraction(1, 5), Fraction(1, 5), Fraction(3, 5)]),
    ("inverse_j", journey(2), [Fraction(3, 4), Fraction(1, 4)]),
    ("inverse_j", journey(3), [Fraction(3, 5), Fraction(1, 5), Fraction(1, 5)]),
    ("time_decay", journey(3), [Fraction(1, 7), Fraction(2, 7), Fraction(4, 7)]),
    (
        "w_shaped",
        journey(5, 1, 3),
        [Fraction(3, 10), Fraction(3, 10), Fraction(1, 20), Fraction(3, 10), Fraction(1, 20)],
    ),
    ("w_shaped", journey(3, 0, 2), [Fraction(3, 5), Fraction(1, 10), Fraction(3, 10)]),
    ("w_shaped", journey(2, 0, 1), [Fraction(2, 3), Fraction(1, 3)]),
    ("full_path", journey(4, 1, 2), [Fraction(1, 4)] * 4),
    ("full_path", journey(5, 1, 2), [Fraction(9, 40)] * 3 + [Fraction(1, 10), Fraction(9, 40)]),
    *[(name, journey(1), [1]) for name in MODELS],
]


@pytest.mark.parametrize(
    ("model", "of", "shares"),
    SHARES,
    ids=[f"{name} of {len(of.touches)} to {place}" for place, (name, of, _) in enumerate(SHARES)],
)
def test_what_each_model_gives(model: str, of: Journey, shares: list[Fraction]) -> None:
    assert MODELS[model](of) == shares


@pytest.mark.parametrize(
    ("amount", "shares", "parts"),
    [
        (100, [Fraction(1, 3)] * 3, [34, 33, 33]),
        (1, [Fraction(1, 2)] * 2, [1, 0]),
        (10, [Fraction(1, 6), Fraction(1, 3), Fraction(1, 2)], [2, 3, 5]),
        (0, [Fraction(1, 2)] * 2, [0, 0]),
    ],
)
def test_every_cent_is_given_once(amount: int, shares: list[Fraction], parts: list[int]) -> None:
    assert divided(amount, shares) == parts


WON = deal("D", "won", at("12:00", day=100), contacts=[{"email": ANN}], created_at="2026-04-01", closed_at="2026-04-09")


@pytest.mark.parametrize(
    ("event", "touches"),
    [
        pytest.param(form("v", "1", at("23:59:59.999999", day=1), ANN), ["1"], id="90 days before it was created"),
        pytest.param(form("v", "1", at("23:59:59.999998", day=1), ANN), [None], id="a microsecond earlier"),
        pytest.param(form("v", "1", at("23:59:59.999999", day=99), ANN), ["1"], id="at its close"),
        pytest.param(form("v", "1", at("00:00", day=100), ANN), [None], id="after its close"),
        pytest.param(form("v", "1", at("12:00", day=90), BEN), [None], id="another's"),
        pytest.param(call(at("12:00", day=90), email=ANN), ["call"], id="a call"),
        pytest.param(make_event("form", "1", at(day=90), visitor_id="v", email=ANN), [None], id="a visit without a page"),
    ],
)  # fmt: skip
def test_which_touches_a_deal_is_credited_to(event: Event, touches: list[str | None]) -> None:
    assert {tuple(row[9]) for row in present_state([WON, event])["credits"]} == {tuple(touches)}
