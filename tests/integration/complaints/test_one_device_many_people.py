"""Shared computers, and people with several devices: what went wrong elsewhere, each with our answer."""

from tests.builders import GOOGLE_AD, NEWSLETTER, at, contact, form, page
from tests.closing import Loop
from tests.integration.complaints.telling import lead_at, login, people, tell, won

ANN, BEN, CEM = "email:ann@x.org", "email:ben@x.org", "email:cem@x.org"


async def test_three_people_who_register_on_one_laptop_are_three_leads_with_three_deals(loop: Loop) -> None:
    """HubSpot gives all three to the last."""
    seen = await tell(
        loop,
        page("laptop", "ad", at("08:55"), GOOGLE_AD),
        form("laptop", "ann", at("09:00"), "ann@x.org"),
        form("laptop", "ben", at("09:01"), "ben@x.org"),
        form("laptop", "cem", at("09:02"), "cem@x.org"),
        page("laptop", "later", at(day=2), NEWSLETTER),
        *(won(f"of {name}", at(day=5), f"{name}@x.org") for name in ("ann", "ben", "cem")),
    )
    assert seen.leads == people(ANN, BEN, CEM)
    assert seen.owners == {"ad": ANN, "ben": BEN, "cem": CEM, "later": CEM}
    assert seen.money == {
        "of ann": {"ad": "100.00"},
        "of ben": {"ben": "100.00"},
        "of cem": {"cem": "50.00", "later": "50.00"},
    }


async def test_the_second_login_in_a_browser_takes_neither_the_first_ones_history_nor_their_record(loop: Loop) -> None:
    """Mautic hands the first one's history to the second and deletes the first."""
    seen = await tell(
        loop,
        *(page("v", "ad", at(day=1), GOOGLE_AD), login("v", "1", at("00:01", day=1), 1, email="ann@x.org")),
        *(page("v", "mail", at(day=2), NEWSLETTER), login("v", "2", at("00:01", day=2), 2, email="ben@x.org")),
        won("7", at(day=5), "ann@x.org"),
    )
    assert seen.owners == {"ad": ANN, "mail": BEN}
    assert seen.money == {"7": {"ad": "100.00"}}
    assert await lead_at(loop, "user:1") == {ANN, "user:1"}
    assert await lead_at(loop, "user:2") == {BEN, "user:2"}


async def test_two_users_of_one_device_are_not_merged_by_their_cookie(loop: Loop) -> None:
    """RudderStack's calls merged them at Mixpanel, for ever."""
    seen = await tell(
        loop,
        page("A", "before", at(day=1)),
        login("A", "B's", at(day=2), "B"),
        login("A", "C's", at(day=3), "C"),
        login("A", "B's again", at(day=4), "B"),
    )
    assert seen.leads == people("user:B", "user:C")
    assert seen.owners == {"before": "user:B", "B's": "user:B", "C's": "user:C", "B's again": "user:B"}


async def test_visitors_who_are_logged_out_are_nobody_and_not_one_person(loop: Loop) -> None:
    """PostHog took `identify(null)` for one person with everybody's history."""
    logged_out = [login(f"v{n}", f"v{n}", at(day=n), "null") for n in range(1, 6)]
    seen = await tell(loop, *logged_out)
    assert seen.leads == set()
    assert set(seen.owners.values()) == {None}
    seen = await tell(loop, *logged_out, form("v3", "known", at(day=9), "ann@x.org"))
    assert seen.owners == {**dict.fromkeys(["v1", "v2", "v4", "v5"]), "v3": ANN, "known": ANN}


async def test_a_constant_that_a_site_sends_for_every_user_parts_again_those_whom_it_had_joined(loop: Loop) -> None:
    """PostHog merged all users of a site that sent the word distinct_id. We do not know the word; we count people."""
    users = [login(f"v{n}", f"{n}", at(day=n), "distinct_id", email=f"{n}@x.org") for n in range(1, 7)]
    deal = won("7", at(day=9), "1@x.org")
    seen = await tell(loop, *users[:5], deal)
    assert len(seen.leads) == 1
    assert seen.money == {"7": dict.fromkeys("12345", "20.00")}
    seen = await tell(loop, *users, deal)
    assert seen.leads == people("user:distinct_id", *(f"email:{n}@x.org" for n in range(1, 7)))
    assert seen.money == {"7": {"1": "100.00"}}


async def test_one_human_with_many_devices_is_nobody_twice_and_then_one_lead(loop: Loop) -> None:
    """PostHog counts several people until the login, and has to merge them then."""
    before = [
        page("laptop", "ad", at(day=1), GOOGLE_AD),
        page("phone", "mail", at(day=2), NEWSLETTER),
        page("tablet", "at home", at(day=3)),
    ]
    seen = await tell(loop, *before)
    assert seen.leads == set()
    assert seen.owners == dict.fromkeys(["ad", "mail", "at home"])
    logins = [
        login("laptop", "l", at("00:01", day=1), 42),
        form("phone", "p", at("00:01", day=2), "ann@x.org", user_id=42),
    ]
    seen = await tell(loop, *before, *logins)
    assert seen.leads == people(f"{ANN} user:42")
    assert seen.owners == {"ad": ANN, "mail": ANN, "at home": None}


async def test_a_form_joins_the_cookies_past_to_the_person_whom_the_crm_knew_all_along(loop: Loop) -> None:
    """ "The biggest breakdown": Mautic goes on under the known contact, and leaves the anonymous past behind."""
    crm = [contact("c", at(day=1), "9", "ann@x.org", provider="hubspot"), won("7", at(day=20), "ann@x.org")]
    past = [page("v", "ad", at(day=5), GOOGLE_AD), page("v", "mail", at(day=10), NEWSLETTER)]
    seen = await tell(loop, *crm, *past)
    assert seen.money == {"7": {None: "100.00"}}
    seen = await tell(loop, *crm, *past, form("v", "form", at("00:01", day=10), "Ann@X.org "))
    assert seen.leads == people(f"{ANN} crm:hubspot:9")
    assert seen.money == {"7": {"ad": "50.00", "mail": "50.00"}}


async def test_before_and_after_the_login_is_one_person_though_no_call_says_merge(loop: Loop) -> None:
    """PostHog's SDK left out the merge, and the two halves stayed two people."""
    halves = [page("v", "before", at(day=1), GOOGLE_AD), page("v", "after", at(day=2), user_id=42)]
    server = login(None, "server", at(day=1), 42, email="ann@x.org")
    deal = won("7", at(day=5), "ann@x.org")
    assert (await tell(loop, server, deal)).money == {"7": {None: "100.00"}}
    seen = await tell(loop, *halves, server, deal)
    assert seen.leads == people(f"{ANN} user:42")
    assert seen.money == {"7": {"before": "50.00", "after": "50.00"}}


async def test_an_address_that_a_person_has_given_up_still_finds_them_and_their_money(loop: Loop) -> None:
    """PostHog keeps the last address alone."""
    seen = await tell(
        loop,
        *(page("v", "ad", at(day=1), GOOGLE_AD), login("v", "1", at("00:01", day=1), 42, email="ann@old.org")),
        *(page("v", "mail", at(day=2), NEWSLETTER), login("v", "2", at("00:01", day=2), 42, email="ann@new.org")),
        *(won("old", at(day=5), "ann@old.org"), won("new", at(day=5), "ann@new.org")),
    )
    assert await lead_at(loop, "email:ann@old.org") == {"email:ann@old.org", "email:ann@new.org", "user:42"}
    both = {"ad": "50.00", "mail": "50.00"}
    assert seen.money == {"old": both, "new": both}


async def test_a_merge_leaves_no_address_of_a_lead_dead(loop: Loop) -> None:
    """Mautic deletes one of two records, and with it the id that others had written down."""
    two = [form("v", "1", at(day=1), "ann@x.org"), form("w", "2", at(day=2), "ben@x.org")]
    await tell(loop, *two)
    assert (await lead_at(loop, ANN), await lead_at(loop, BEN)) == ({ANN}, {BEN})
    await tell(
        loop,
        *two,
        login(None, "3", at(day=3), 42, email="ann@x.org"),
        login(None, "4", at(day=4), 42, email="ben@x.org"),
    )
    assert {await lead_at(loop, name) for name in (ANN, BEN, "user:42")} == people(f"{ANN} {BEN} user:42")
