"""What happens between people, browsers and a CRM, one scene a function. Rare troubles are planted on purpose."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from services.local.shop.browsing import Step, browse, later
from services.local.shop.history import SITE, START
from services.local.shop.script import Script
from services.local.shop.selling import Course
from services.local.shop.sources import ARRIVALS, arrive


def passer_by(script: Script) -> None:
    """Looks around and never says who they are."""
    script.wander(script.person(), script.cookie(), range(89), most=4, least=1)


def reader(script: Script) -> None:
    """Leaves an address, buys nothing."""
    ann, laptop = script.person(), script.cookie()
    day = script.rng.randint(5, 80)
    script.wander(ann, laptop, range(day))
    script.visit(ann, laptop, day, script.form(ann))
    script.wander(ann, laptop, range(day + 1, 89))


def buyer(script: Script) -> None:
    """The story as textbooks tell it; visits after the purchase included."""
    ann, laptop = script.person(), script.cookie()
    day = script.rng.randint(10, 55)
    script.wander(ann, laptop, range(day), most=5)
    script.visit(ann, laptop, day, script.form(ann))
    script.wander(ann, laptop, range(day + 1, 89))
    script.deal([ann], after=day)


def loyal_customer(script: Script) -> None:
    """Buys twice; early visits count for both deals."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(15), least=1)
    script.visit(ann, laptop, 15, script.login(ann, ann.email))
    script.deal([ann], after=16, course=Course.won)
    script.wander(ann, laptop, range(30, 60), least=1)
    script.deal([ann], after=60, course=Course.won_at_another_price)


def signs_in_on_the_phone(script: Script) -> None:
    """Two devices that a login makes one person, the phone's anonymous past included."""
    ann, laptop, phone = script.person(), script.cookie(), script.cookie()
    day = script.rng.randint(15, 40)
    script.wander(ann, phone, range(day), least=1)
    script.visit(ann, laptop, day, script.login(ann, ann.email))
    script.visit(ann, phone, day + 2, script.login(ann))
    script.wander(ann, phone, range(day + 3, 81))
    script.deal([ann], after=day + 5)


def silent_phone(script: Script) -> None:
    """The phone found the shop, the laptop signed up, and nothing connects the two."""
    ann, laptop, phone = script.person(), script.cookie(), script.cookie()
    day = script.rng.randint(20, 55)
    script.wander(ann, phone, range(day), least=1)
    script.visit(ann, laptop, day, script.form(ann))
    script.wander(ann, phone, range(day + 1, day + 4), most=2)
    script.deal([ann], after=day, course=Course.won)


def never_leaves_an_address(script: Script) -> None:
    """Reads the site, then calls; the CRM knows the buyer, the site does not."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(10, 51), least=1, most=5)
    script.deal([ann], after=51, course=Course.won)


def refuses(script: Script) -> None:
    """Refuses to be measured, and fills in a form all the same."""
    ann, laptop = script.person(), script.cookie(refuses=True)
    script.wander(ann, laptop, range(5, 40), least=1)
    script.visit(ann, laptop, 40, script.form(ann))
    script.deal([ann], after=41, course=Course.won)


def met_at_a_fair(script: Script) -> None:
    """Never was on the site at all: nobody's credit, in truth as well."""
    script.deal([script.person()], after=script.rng.randint(10, 70))


def two_mailboxes(script: Script) -> None:
    """Signs up with one address, signs the contract with another: for all anyone knows, two people."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(30))
    script.visit(ann, laptop, 30, script.form(ann))
    script.deal([ann], after=31, course=Course.won, named=[[(ann, ann.other_email)]], leads=[ann.other_email])


def mailboxes_joined_by_the_account(script: Script) -> None:
    """Two addresses under one user id are one person, whichever of them the CRM has."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(20))
    script.visit(ann, laptop, 20, script.login(ann, ann.email))
    script.visit(ann, laptop, 35, script.login(ann, ann.other_email))
    script.deal([ann], after=40, named=[[(ann, ann.other_email)]])


def mailboxes_joined_by_the_crm(script: Script) -> None:
    """The CRM's contact changes the address between two versions; the older one still counts."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(25), least=1)
    script.visit(ann, laptop, 25, script.form(ann))
    script.deal([ann], after=26, course=Course.won, named=[[(ann, ann.email)], [(ann, ann.other_email)]])


def shared_computer(script: Script) -> None:
    """Two or three people take turns on one browser, each with a form of their own; all of them buy."""
    laptop, day = script.cookie(), 3
    for _ in range(script.rng.randint(2, 3)):
        ann = script.person()
        script.wander(ann, laptop, range(day, day + 12), least=1)
        script.visit(ann, laptop, day + 12, script.form(ann))
        day += 13
        script.deal([ann], after=day, course=Course.won)


def takes_over_the_keyboard(script: Script) -> None:
    """A colleague who knows the shop by hearsay fills in the next form minutes later: a visit of its own, Direct."""
    ann, bob, laptop = script.person(), script.person(), script.cookie()
    script.wander(ann, laptop, range(40), least=1)
    start = later(script.rng, START, 40 * 86_400 + 9 * 3_600, 40 * 86_400 + 17 * 3_600)
    arrival = arrive(script.rng)
    last = script.record(ann, laptop, arrival, browse(script.rng, start, arrival), script.form(ann))
    hearsay = next(arrival for arrival in ARRIVALS if arrival.true_channel == "Word of mouth")
    sign = script.form(bob)
    form = Step(later(script.rng, last, 30, 900), SITE + "/sign-up", SITE + "/pricing", "Sign up")
    script.take_down(bob, laptop, hearsay, [(form, sign.fields)], sign.lead)
    script.deal([ann], after=41)
    script.deal([bob], after=41, course=Course.won)


def buying_committee(script: Script) -> None:
    """Several people decide, each on a device of their own; the boss who signs has never seen the site."""
    team = [script.person() for _ in range(3)]
    for member, cookie in zip(team[:2], (script.cookie(), script.cookie()), strict=True):
        day = script.rng.randint(10, 50)
        script.wander(member, cookie, range(day))
        script.visit(member, cookie, day, script.form(member))
    script.deal(team, after=51)


def old_acquaintance(script: Script) -> None:
    """Knew the shop long before the quarter: some visits, or all of them, are older than the default lookback."""
    ann, laptop = script.person(), script.cookie()
    script.wander(ann, laptop, range(-40, -21), least=2)
    script.visit(ann, laptop, script.rng.choice((-21, 60)), script.form(ann))
    script.deal([ann], after=70, course=Course.won)


def works_all_day(script: Script) -> None:
    """A trial used from early to late without a pause: what comes after 12 hours is a new visit that nobody sent."""
    ann, laptop, direct = script.person(), script.cookie(), ARRIVALS[0]
    script.visit(ann, laptop, 30, script.form(ann))
    at = later(script.rng, START, 45 * 86_400 + 5 * 3_600, 45 * 86_400 + 6 * 3_600)
    half, evening = at + timedelta(hours=12), at + timedelta(hours=14)
    day: list[Step] = [Step(at, f"{SITE}/app", None, "Ledgerly")]
    while day[-1].at < evening:
        day.append(Step(later(script.rng, day[-1].at, 900, 1_700), f"{SITE}/app", f"{SITE}/app", "Ledgerly"))
    for part in ([step for step in day if step.at <= half], [step for step in day if step.at > half]):
        script.record(ann, laptop, direct, part)
    script.deal([ann], after=46)


class Scene(NamedTuple):
    """A scene, how many of 1,000 it is, and how many cookies it takes."""

    play: Callable[[Script], None]
    weight: int
    cookies: int


SCENES = (
    Scene(passer_by, 800, 1),
    Scene(reader, 120, 1),
    Scene(buyer, 38, 1),
    Scene(loyal_customer, 4, 1),
    Scene(signs_in_on_the_phone, 7, 2),
    Scene(silent_phone, 7, 2),
    Scene(never_leaves_an_address, 3, 1),
    Scene(refuses, 3, 1),
    Scene(met_at_a_fair, 2, 0),
    Scene(two_mailboxes, 2, 1),
    Scene(mailboxes_joined_by_the_account, 3, 1),
    Scene(mailboxes_joined_by_the_crm, 2, 1),
    Scene(shared_computer, 3, 1),
    Scene(takes_over_the_keyboard, 1, 1),
    Scene(buying_committee, 5, 2),
    Scene(old_acquaintance, 2, 1),
    Scene(works_all_day, 1, 1),
)
