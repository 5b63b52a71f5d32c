"""What was measured beside what is true, and why they differ; what no reason explains is a fault of the product."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.local.shop.history import Reason, Shop
from services.local.shop.truth import Amounts, Credit, Explained, Observer, channel_amounts


@dataclass(frozen=True, slots=True)
class Row:
    """One channel's money, in cents."""

    channel: str
    measured: int
    true: int
    why: Mapping[Reason, int]
    """By reason, what it adds to the measured amount or takes from it."""

    @property
    def difference(self) -> int:
        return self.measured - self.true

    @property
    def unexplained(self) -> int:
        return self.difference - sum(self.why.values())


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A deal that was credited otherwise than any honest observer could."""

    deal_id: str
    expected: tuple[Credit, ...]
    measured: tuple[Credit, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All channels, the truly strongest first, and the deals that disagree."""

    rows: tuple[Row, ...]
    disagreements: tuple[Disagreement, ...]


def expect(shop: Shop, model: str, lookback: timedelta) -> dict[str, Explained]:
    """By deal id, what should be measured and why; a deal that is not won has no credits."""
    observer = Observer(shop)
    nothing = Explained(Counter(), (), {})
    return {deal.deal_id: observer.explain(deal, model, lookback) if deal.won else nothing for deal in shop.deals}


def compare(expected: Mapping[str, Explained], measured: Mapping[str, Sequence[Credit]]) -> Comparison:
    """Hold the measured credits of all deals against the expected ones, touch by touch and cent by cent."""
    seen: Amounts = Counter()
    true: Amounts = Counter()
    why: dict[str, Counter[Reason]] = defaultdict(Counter)
    disagreements = []
    for deal_id, deal in expected.items():
        credits_ = tuple(measured.get(deal_id, ()))
        seen.update(channel_amounts(credits_))
        true.update(deal.true)
        for reason, changes in deal.moved.items():
            for channel, change in changes.items():
                why[channel][reason] += change
        if credits_ != deal.visible:
            disagreements.append(Disagreement(deal_id, deal.visible, credits_))
    rows = [
        Row(channel, seen[channel], true[channel], {reason: why[channel][reason] for reason in sorted_reasons(why[channel])})
        for channel in {*seen, *true, *why}
    ]
    rows.sort(key=lambda row: (-row.true, -row.measured, row.channel))
    return Comparison(tuple(rows), tuple(disagreements))


def sorted_reasons(amounts: Mapping[Reason, int]) -> list[Reason]:
    """The reasons that move money, the largest first."""
    order = list(Reason)
    moving = (reason for reason, amount in amounts.items() if amount)
    return sorted(moving, key=lambda reason: (-abs(amounts[reason]), order.index(reason)))
