"""Two people taken for one and parted again: the same story told with the mistake, and as if the two had never met."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from schemas.instant import parse_instant
from tests.builders import GOOGLE_AD, SITE, make_event
from tests.dice import Dice
from tests.histories import VISITORS
from tests.law.smallest import History
from tests.reference.counting import records_of, that_count
from tests.reference.people import carried_together, people_of

PARTING_BYTES = 24
PAUSES = [timedelta(0), timedelta(minutes=1), timedelta(minutes=31), -timedelta(minutes=1), timedelta(hours=5)]


class Parted(NamedTuple):
    """Three histories that differ in one mistake and its repair."""

    met: History
    """The mistake alone: events that carry Ann's e-mail and the first user's id."""
    parted: History
    """With an unlink of the pair, whenever it was said."""
    never_met: History
    """The mistaken events with that identifier alone that they name; the other was seen elsewhere at the same instant."""
    joined_again: History
    """With the unlink, and a newer one that lifts it."""


def parted(history: History, faces: bytes, prefix: str = "") -> Parted:
    """The pair is one that histories are hard on: the login and the mailbox of many."""
    dice = Dice(faces)
    mail, user = f"{prefix}ann@x.org", f"{prefix}1"
    story = [event for event in history if not speaks_of_both(event, f"email:{mail}", f"user:{user}")]
    mistakes = [mistake(dice, story, f"{prefix}mistake{number}", prefix) for number in range(dice.pick([1, 2, 3]))]
    seen = [
        make_event("identify", f"{each['event_id']}-{name}", parse_instant(each["occurred_at"]), **{name: value})
        for each in mistakes
        for name, value in (("email", mail), ("user_id", user))
    ]
    named = {"user_id": user} if is_shared(f"email:{mail}", [*story, *seen]) else {"email": mail}
    said_at = parse_instant(dice.pick(story or mistakes)["occurred_at"])
    sides = {"a": f"user:{user}", "b": f"email:{mail}"}
    unlink = make_event("unlink", f"{prefix}unlink", said_at, **sides)
    undo = make_event("unlink", f"{prefix}undo", said_at + timedelta(seconds=1), **sides, undo=True)
    met = [*story, *(each | {"person": {"email": mail, "user_id": user}} for each in mistakes)]
    return Parted(
        met, [*met, unlink], [*story, *(each | {"person": named} for each in mistakes), *seen], [*met, unlink, undo]
    )


def mistake(dice: Dice, story: Sequence[dict[str, Any]], event_id: str, prefix: str) -> dict[str, Any]:
    """A form or a call that will carry both, on a device of the story or on none."""
    near = parse_instant(dice.pick(story)["occurred_at"]) if story else parse_instant("2026-01-01T00:00:00Z")
    cookie = {"visitor_id": prefix + dice.pick(VISITORS)} if not dice.happens(0.2) else {}
    kind, url = dice.pick(["form", "identify"]), dice.pick([SITE, GOOGLE_AD])
    return make_event(kind, event_id, near + dice.pick(PAUSES), url=url, **cookie)


def speaks_of_both(event: dict[str, Any], one: str, other: str) -> bool:
    (record,) = records_of([event])
    person = record.event.person
    sides = {f"{side}".strip() for side in (person.a, person.b)}
    return {one, other} <= sides or any({one, other} <= set(names) for names in carried_together(record))


def is_shared(name: str, history: History) -> bool:
    records = records_of(history)
    return name in people_of(records, that_count(records)).shared
