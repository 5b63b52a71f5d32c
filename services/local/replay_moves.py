"""What a replay would move: touches between channels and leads, money between channels; and how it is shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from schemas.money import decimal_text
from services.local.replay_states import queries
from services.runtime.postgres import Database

LEADS_SHOWN = 10

NOBODY = "nobody"


class Touches(NamedTuple):
    """So many touches of one channel have another; None where they are in one state alone."""

    before: str | None
    after: str | None
    touches: int


class Hands(NamedTuple):
    """So many touches of one lead are another's; None where they are nobody's."""

    before: UUID | None
    after: UUID | None
    touches: int


class Money(NamedTuple):
    """What a model gives to a channel, before and after, in minor units."""

    currency: str
    model: str
    channel: str
    before: int
    after: int


@dataclass(frozen=True)
class Moves:
    """All that differs between two states, as far as people ask."""

    channels: Sequence[Touches]
    hands: Sequence[Hands]
    """The leads between whom most touches move, LEADS_SHOWN at most."""
    touches_of_other_lead: int
    leads: int
    """How many gain or lose a touch."""
    money: Sequence[Money]
    deals: int
    """How many are credited otherwise."""
    won: int
    """How many are credited at all, before."""


async def moves_of(database: Database) -> Moves:
    """What differs between the state in force and the new one; both stand still."""
    hands = await database.fetch(queries.touches_of_other_lead, LEADS_SHOWN)
    return Moves(
        channels=[Touches(*row) for row in await database.fetch(queries.touches_of_other_channel)],
        hands=[Hands(*row[:3]) for row in hands],
        touches_of_other_lead=hands[0]["all_touches"] if hands else 0,
        leads=hands[0]["all_leads"] if hands else 0,
        money=[Money(*row) for row in await database.fetch(queries.money_of_other_channel)],
        deals=len(await database.fetch(queries.changed_deals)),
        won=await database.fetchval(queries.count_won),
    )


def moves_shown(moves: Moves) -> Iterator[str]:
    """The page, line by line."""
    yield f"Touches of another channel: {sum(each.touches for each in moves.channels)}"
    for before, after, touches in moves.channels:
        yield f"  {touches:>9}  {before or '(no touch)'} -> {after or '(no touch)'}"
    yield f"Touches of another lead: {moves.touches_of_other_lead}, of {moves.leads} leads"
    for old, new, touches in moves.hands:
        yield f"  {touches:>9}  {old or NOBODY} -> {new or NOBODY}"
    yield f"Deals credited otherwise: {moves.deals} of {moves.won}"
    for (currency, model), rows in groupby(moves.money, key=lambda each: each[:2]):
        yield f"  {model}, {currency}"
        for _, _, channel, before_units, after_units in rows:
            texts = [decimal_text(units, currency) for units in (before_units, after_units)]
            yield f"    {channel:<26} {texts[0]:>15} -> {texts[1]:>15}"


def digests_shown(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """The digest of each part in both states, line by line."""
    width = max(map(len, before))
    for part, digest in before.items():
        yield f"  {part:<{width}}  {digest}  {'equal' if after[part] == digest else 'now ' + after[part]}"
