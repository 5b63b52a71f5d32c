"""What the best honest observer could have measured, and how that differs from the truth, reason by reason.

An observer has cookies, forms, logins and the CRM. A visit belongs to the lead identified in it, else to the one that
its cookie identified last before, else to the first one after. The truth counts every visit of those who really bought.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.local.shop.credit import MODELS, split
from services.local.shop.history import Deal, Reason, Shop, Visit

UNATTRIBUTED = "Unattributed"

Amounts = Counter[str]
"""Cents by channel."""

_LADDER = tuple(Reason)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A visit as it bears on one deal. A channel of None: the visit does not count there."""

    visit: Visit
    true_channel: str | None
    seen_channel: str | None
    reason: Reason | None
    """Why the two differ, where they do."""

    def channel(self, known: Collection[Reason]) -> str | None:
        """What one sees who is hindered by the `known` reasons alone."""
        return self.seen_channel if self.reason in known else self.true_channel


@dataclass(frozen=True, slots=True)
class Credit:
    """A part of a deal's amount; an `Unattributed` one has no touch."""

    touch_id: str | None
    channel: str
    amount: int


@dataclass(frozen=True, slots=True)
class Explained:
    """A won deal under one model: what is true, what can be seen, and what each reason moves between channels."""

    true: Amounts
    visible: tuple[Credit, ...]
    moved: Mapping[Reason, Mapping[str, int]]
    """By channel, what the reason adds; `true` and all of `moved` add up to `visible`."""


class Observer:
    """Looks at a whole shop once; then tells of any of its deals what can be seen."""

    def __init__(self, shop: Shop) -> None:
        self._owner = owners(shop.visits)
        self._by_person: dict[str, list[Visit]] = defaultdict(list)
        self._by_lead: dict[str, list[Visit]] = defaultdict(list)
        self._identified = {visit.person for visit in shop.visits if visit.lead and not visit.refused}
        for visit in shop.visits:
            self._by_person[visit.person].append(visit)
            if owner := self._owner.get(visit.touch_id):
                self._by_lead[owner].append(visit)

    def explain(self, deal: Deal, model: str, lookback: timedelta) -> Explained:
        """Credit of a won deal: the truth, then one reason after the other, down to what is visible."""
        sightings = self.sightings(deal, lookback)
        rungs = [
            credit([(s.visit, s.channel(_LADDER[:known])) for s in sightings], deal.amount, model)
            for known in range(len(_LADDER) + 1)
        ]
        amounts = [channel_amounts(rung) for rung in rungs]
        moved = {
            reason: {channel: change for channel in {*before, *after} if (change := after[channel] - before[channel])}
            for reason, (before, after) in zip(_LADDER, pairwise(amounts), strict=True)
        }
        return Explained(amounts[0], rungs[-1], {reason: changes for reason, changes in moved.items() if changes})

    def sightings(self, deal: Deal, lookback: timedelta) -> list[Sighting]:
        """Every visit that is, or looks like, one of the deal's, up to its close, in the order of touches."""
        theirs = [visit for person in deal.people for visit in self._by_person[person]]
        ascribed = [visit for lead in deal.leads for visit in self._by_lead[lead]]
        visits = {visit.touch_id: visit for visit in (*theirs, *ascribed) if visit.at <= deal.closed_at}
        oldest = min(deal.created_at, deal.closed_at) - lookback
        seen = (self._sighting(visit, deal, oldest) for visit in sorted(visits.values(), key=lambda v: v.order))
        return [sighting for sighting in seen if sighting.true_channel or sighting.seen_channel]

    def _sighting(self, visit: Visit, deal: Deal, oldest: datetime) -> Sighting:
        true = visit.true_channel if visit.person in deal.people else None
        if lost := self._lost(visit, deal, oldest):
            return Sighting(visit, true, None, lost)
        reason = visit.mask if true else Reason.SHARED_COMPUTER
        return Sighting(visit, true, visit.seen_channel, reason)

    def _lost(self, visit: Visit, deal: Deal, oldest: datetime) -> Reason | None:
        """Why nobody can ascribe the visit to the deal; None when it is ascribed, rightly or not."""
        owner = self._owner.get(visit.touch_id)
        if owner in deal.leads:
            return Reason.LOOKBACK if visit.at < oldest else None
        if visit.refused:
            return Reason.REFUSED
        if owner is None:
            return Reason.SECOND_DEVICE if visit.person in self._identified else Reason.NEVER_IDENTIFIED
        return Reason.OTHER_ADDRESS if visit.person in self._persons_of(owner) else Reason.SHARED_COMPUTER

    def _persons_of(self, lead: str) -> set[str]:
        return {visit.person for visit in self._by_lead[lead] if visit.lead == lead}


def owners(visits: Iterable[Visit]) -> dict[str, str | None]:
    """By touch id, the lead that a visit belongs to as far as cookies tell; visits without consent are not in it."""
    by_cookie: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        if not visit.refused:
            by_cookie[visit.visitor_id].append(visit)
    found: dict[str, str | None] = {}
    for history in by_cookie.values():
        history.sort(key=lambda visit: visit.order)
        lead = next((visit.lead for visit in history if visit.lead), None)
        for visit in history:
            lead = visit.lead or lead
            found[visit.touch_id] = lead
    return found


def credit(touches: Sequence[tuple[Visit, str | None]], amount: int, model: str) -> tuple[Credit, ...]:
    """The amount over the touches that have a channel, in their order; `Unattributed` when none has."""
    counted = [(visit.touch_id, channel) for visit, channel in touches if channel]
    if not counted:
        return (Credit(None, UNATTRIBUTED, amount),)
    cents = split(amount, MODELS[model](len(counted)))
    return tuple(Credit(touch_id, channel, part) for (touch_id, channel), part in zip(counted, cents, strict=True))


def channel_amounts(credits_: Iterable[Credit]) -> Amounts:
    amounts: Amounts = Counter()
    for part in credits_:
        amounts[part.channel] += part.amount
    return amounts
