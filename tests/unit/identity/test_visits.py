"""Visits and their owners, one sentence of the rules a test."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.visits import Hit, Standing, Start, Visit, fold, owned
from schemas.visit import DIRECT, Source
from tests.builders import BING, GOOGLE, INSIDE, SITE, at

ANN, BEN, CEM = UUID(int=1), UUID(int=2), UUID(int=3)
AD = Source("Paid Search", "google", "cpc", "spring")
OTHER_AD = Source("Paid Search", "google", "cpc", "autumn")
MAIL = Source("Email", "newsletter", "email")
SEARCH = Source("Organic Search", "google", "organic")
BING_SEARCH = Source("Organic Search", "bing", "organic")


def hit(clock: str, source: Source | None = None, lead: UUID | None = None, *, day: int = 1, **fields: object) -> Hit:
    """A page view; with a source it was a tagged link that brought it, unless told otherwise."""
    plain = Hit(at(clock, day), f"{day}-{clock}", False, source is None, SITE, None, source, (), lead, lead)
    return plain._replace(**fields)


def found(clock: str, source: Source = SEARCH, referrer: str = GOOGLE, **fields: object) -> Hit:
    """A page view whose source is its referrer alone."""
    return hit(clock, source, **{"referrer": referrer, "only_referrer": True, **fields})


def inside(clock: str, lead: UUID | None = None, **fields: object) -> Hit:
    """A page view that came from another page of the site."""
    return hit(clock, None, lead, referrer=INSIDE, internal=True, **fields)


def starts(visits: Sequence[Visit]) -> list[tuple[str, Source]]:
    return [(visit.touch_id.partition("-")[2], visit.source) for visit in visits]


@pytest.mark.parametrize(
    ("hits", "expected"),
    [
        pytest.param([], [], id="nobody came"),
        pytest.param(
            [hit("09:00")], [("09:00", DIRECT)], id="the first hit starts a visit, Direct when it has no source"
        ),
        pytest.param([hit("09:00", AD)], [("09:00", AD)], id="a visit's source is that of its first hit"),
        pytest.param([hit("09:00", AD), hit("09:30")], [("09:00", AD)], id="30 minutes are no pause"),
        pytest.param(
            [hit("09:00", AD), hit("09:30:00.000001")],
            [("09:00", AD), ("09:30:00.000001", DIRECT)],
            id="more than 30 minutes are",
        ),
        pytest.param(
            [hit("09:00"), hit("09:29"), hit("09:58")], [("09:00", DIRECT)], id="a pause counts from the previous hit"
        ),
        pytest.param([hit("09:00", AD), inside("13:00")], [("09:00", AD)], id="4 hours when the tab was already here"),
        pytest.param(
            [hit("09:00", AD), inside("13:00:00.000001")],
            [("09:00", AD), ("13:00:00.000001", DIRECT)],
            id="more than 4 hours are a pause there too",
        ),
        pytest.param(
            [hit("09:00", AD), inside("10:00"), hit("10:31")],
            [("09:00", AD), ("10:31", DIRECT)],
            id="what was inside is the referrer of the hit, not of the one before",
        ),
        pytest.param(
            [inside(f"{hour:02}:00") for hour in (0, 4, 8, 12)],
            [("00:00", DIRECT)],
            id="12 hours are one visit",
        ),
        pytest.param(
            [*(inside(f"{hour:02}:00") for hour in (0, 4, 8)), inside("12:00:00.000001")],
            [("00:00", DIRECT), ("12:00:00.000001", DIRECT)],
            id="more than 12 hours are two",
        ),
        pytest.param(
            [inside("00:00"), inside("04:00"), inside("08:00"), hit("08:10", AD), inside("12:01"), inside("16:01")],
            [("00:00", DIRECT), ("08:10", AD)],
            id="12 hours count from the visit's first hit",
        ),
        pytest.param([hit("09:00", AD), hit("09:05", AD)], [("09:00", AD)], id="the same source again"),
        pytest.param([hit("09:00", AD), hit("09:05")], [("09:00", AD)], id="no source of its own"),
        pytest.param(
            [hit("09:00", AD), hit("09:05", MAIL), hit("09:10", AD)],
            [("09:00", AD), ("09:05", MAIL), ("09:10", AD)],
            id="another source each time",
        ),
        pytest.param(
            [hit("09:00", AD), hit("09:05", OTHER_AD)],
            [("09:00", AD), ("09:05", OTHER_AD)],
            id="another campaign is another source",
        ),
        pytest.param(
            [hit("09:00"), hit("09:05", AD)], [("09:00", DIRECT), ("09:05", AD)], id="a source differs from Direct too"
        ),
        pytest.param(
            [inside("09:00"), hit("09:05", AD, internal=True, referrer=INSIDE)],
            [("09:00", DIRECT), ("09:05", AD)],
            id="a tagged link inside the site brings a source",
        ),
        pytest.param(
            [hit("09:00", AD), hit("11:00", MAIL, internal=True, referrer=INSIDE), hit("15:00", None)],
            [("09:00", AD), ("11:00", MAIL), ("15:00", DIRECT)],
            id="and its pause is that of an internal referrer",
        ),
        pytest.param(
            [hit("09:00", AD, referrer=GOOGLE), found("09:05"), found("09:10")],
            [("09:00", AD)],
            id="a repeated referrer is no news: single-page apps send it with each page",
        ),
        pytest.param(
            [hit("09:00", AD, referrer=GOOGLE), found("09:31")],
            [("09:00", AD), ("09:31", SEARCH)],
            id="after a pause it is news again",
        ),
        pytest.param(
            [hit("09:00", AD, referrer=GOOGLE), inside("09:05"), found("09:10")],
            [("09:00", AD), ("09:10", SEARCH)],
            id="repeated means equal to that of the previous hit",
        ),
        pytest.param(
            [hit("09:00", AD, referrer=GOOGLE), found("09:05", referrer=GOOGLE + "?q=shoes")],
            [("09:00", AD), ("09:05", SEARCH)],
            id="another address at the same host is another referrer",
        ),
        pytest.param(
            [hit("09:00", AD, referrer=GOOGLE), hit("09:05", OTHER_AD, referrer=GOOGLE)],
            [("09:00", AD), ("09:05", OTHER_AD)],
            id="a tagged link counts, whatever the referrer",
        ),
        pytest.param(
            [found("09:00"), found("09:05", BING_SEARCH, BING), found("09:10")],
            [("09:00", SEARCH), ("09:05", BING_SEARCH), ("09:10", SEARCH)],
            id="from one search engine to another and back",
        ),
        pytest.param(
            [hit("09:00", AD, click_ids=(("gclid", "1"),)), hit("09:05", AD, click_ids=(("gclid", "2"),))],
            [("09:00", AD)],
            id="another click id of the same source does not split",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, ANN), hit("09:10")], [("09:00", AD)], id="the same person again"
        ),
        pytest.param(
            [hit("09:00", AD), hit("09:05", None, ANN)],
            [("09:00", AD)],
            id="whoever is identified first splits nothing",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, BEN)],
            [("09:00", AD), ("09:05", DIRECT)],
            id="another person starts a visit, and it is Direct",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05"), hit("09:10", None, BEN), hit("09:15", None, ANN)],
            [("09:00", AD), ("09:10", DIRECT), ("09:15", DIRECT)],
            id="and so does the first one when she is back",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", AD, BEN)],
            [("09:00", AD), ("09:05", DIRECT)],
            id="Direct even if the hit carries the running campaign",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, BEN), hit("09:10", AD, BEN)],
            [("09:00", AD), ("09:05", DIRECT)],
            id="after it the running campaign is still no news",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, BEN), hit("09:10", None, CEM), hit("09:15", AD, CEM)],
            [("09:00", AD), ("09:05", DIRECT), ("09:10", DIRECT)],
            id="nor after a third person",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, BEN), hit("09:10", MAIL, BEN)],
            [("09:00", AD), ("09:05", DIRECT), ("09:10", MAIL)],
            id="another campaign is",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", MAIL, BEN)],
            [("09:00", AD), ("09:05", MAIL)],
            id="another person with a source of his own has it",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("10:00", AD, BEN)],
            [("09:00", AD), ("10:00", AD)],
            id="after a pause another person has the source of the hit",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("10:00"), hit("10:05", None, BEN)],
            [("09:00", AD), ("10:00", DIRECT)],
            id="every visit starts with nobody identified",
        ),
        pytest.param(
            [hit("09:00", AD, ANN), hit("09:05", None, BEN), hit("10:00"), hit("10:05", AD)],
            [("09:00", AD), ("09:05", DIRECT), ("10:00", DIRECT), ("10:05", AD)],
            id="what a cut visit compares with ends with it",
        ),
    ],
)
def test_when_a_visit_starts_and_where_it_came_from(hits: list[Hit], expected: list[tuple[str, Source]]) -> None:
    assert starts(fold(hits)) == expected


def test_a_visit_is_what_its_hits_say() -> None:
    first = hit("09:00", AD, url=None, referrer=GOOGLE, click_ids=(("gclid", "1"),))
    form = hit("09:05", None, ANN, url=SITE + "contact", named=CEM)
    last = hit("09:10", AD, ANN, click_ids=(("gclid", "2"), ("gclid", "1")))
    assert fold([first, form, last]) == [
        Visit(
            started_at=at("09:00"),
            touch_id="1-09:00",
            last_at=at("09:10"),
            hits=3,
            source=AD,
            running=AD,
            landing_page=SITE + "contact",
            referrer=GOOGLE,
            click_ids=(("gclid", "1"), ("gclid", "2")),
            identified=CEM,
        )
    ]


def visit(day: int, identified: UUID | None = None) -> Visit:
    return Visit(at(day=day), f"{day}", at(day=day), 1, DIRECT, DIRECT, SITE, None, (), identified)


@pytest.mark.parametrize(
    ("identified", "around", "owners"),
    [
        pytest.param([None, None], (None, None), [None, None], id="nobody was ever identified"),
        pytest.param([None, None, ANN], (None, None), [ANN, ANN, ANN], id="the anonymous past joins the lead"),
        pytest.param([ANN, None, None], (None, None), [ANN, ANN, ANN], id="so does what comes after"),
        pytest.param(
            [None, ANN, None, BEN, None],
            (None, None),
            [ANN, ANN, ANN, BEN, BEN],
            id="a second person takes nothing from the first",
        ),
        pytest.param([ANN, BEN, None, ANN], (None, None), [ANN, BEN, BEN, ANN], id="the last one before it"),
        pytest.param([None, None], (ANN, BEN), [ANN, ANN], id="earlier goes before later"),
        pytest.param([None, None], (None, BEN), [BEN, BEN], id="the first later one"),
        pytest.param([None, CEM, None], (ANN, BEN), [ANN, CEM, CEM], id="the visit's own goes before both"),
        pytest.param([None, CEM, None], (None, BEN), [CEM, CEM, CEM], id="the nearest later one is inside"),
        pytest.param([], (ANN, BEN), [], id="no visits"),
    ],
)
def test_whose_a_visit_is(
    identified: list[UUID | None], around: tuple[UUID | None, UUID | None], owners: list[UUID | None]
) -> None:
    visits = [visit(day, who) for day, who in enumerate(identified, 1)]
    assert [each.owner for each in owned(visits, *around)] == owners


SOURCES = st.sampled_from([None, None, AD, MAIL, SEARCH])
REFERRERS = st.sampled_from([None, GOOGLE, BING, INSIDE])


@st.composite
def histories(draw: st.DrawFn) -> list[Hit]:
    """Hits of one visitor in order, with pauses around every limit."""
    pauses = st.sampled_from([0, 1, 29, 30, 31, 120, 240, 241])
    now: datetime = at()
    hits = []
    for number in range(draw(st.integers(1, 20))):
        now += timedelta(minutes=draw(pauses))
        lead = draw(st.sampled_from([None, None, ANN, BEN]))
        referrer = draw(REFERRERS)
        source = draw(SOURCES)
        only_referrer = source is None or (source is SEARCH and referrer is not INSIDE)
        hits.append(Hit(now, f"{number:03}", referrer == INSIDE, only_referrer, SITE, referrer, source, (), lead, lead))
    return hits


@given(histories())
def test_a_fold_that_goes_on_from_any_visit_ends_the_same(hits: list[Hit]) -> None:
    whole = fold(hits)
    places = {each.event_id: place for place, each in enumerate(hits)}
    for number, each in enumerate(whole):
        assert fold(hits[places[each.touch_id] :], resumed=each.start) == whole[number:]


@given(histories())
def test_a_visit_goes_on_from_any_of_its_hits_as_if_all_were_folded(hits: list[Hit]) -> None:
    whole = fold(hits)
    for place in range(1, len(hits)):
        *closed, last = fold(hits[:place])
        leads = [each.lead for each in hits[:place] if each.lead and each.named == last.identified]
        standing = Standing(last, hits[place - 1].referrer)
        assert closed + fold(hits[place:], resumed=standing, lead=leads[-1] if last.identified else None) == whole


@given(histories())
def test_every_hit_is_in_one_visit(hits: list[Hit]) -> None:
    visits = fold(hits)
    assert sum(each.hits for each in visits) == len(hits)
    assert visits[0].key == (hits[0].occurred_at, hits[0].event_id)
    assert [each.key for each in visits] == sorted(each.key for each in visits)


@given(histories())
def test_a_visit_has_at_most_one_person_and_twelve_hours(hits: list[Hit]) -> None:
    visits = fold(hits)
    ends = [*(each.key for each in visits[1:]), (at(day=999), "")]
    for each, end in zip(visits, ends, strict=True):
        inside_it = [one for one in hits if each.key <= (one.occurred_at, one.event_id) < end]
        people = {one.lead for one in inside_it if one.lead}
        assert people == ({each.identified} if each.identified else set())
        assert each.last_at - each.started_at <= timedelta(hours=12)


@given(histories(), st.integers(0, 20), st.integers(0, 20))
def test_owners_of_a_part_agree_with_owners_of_the_whole(hits: list[Hit], one: int, other: int) -> None:
    whole = owned(fold(hits), None, None)
    first, last = sorted((min(one, len(whole)), min(other, len(whole))))
    before = next((each.identified for each in reversed(whole[:first]) if each.identified), None)
    after = next((each.identified for each in whole[last:] if each.identified), None)
    assert owned(whole[first:last], before, after) == whole[first:last]


def test_a_resumed_fold_takes_the_start_as_it_is_told() -> None:
    [resumed] = fold([hit("09:00", AD)], resumed=Start(DIRECT, MAIL))
    assert (resumed.source, resumed.running) == (DIRECT, MAIL)
