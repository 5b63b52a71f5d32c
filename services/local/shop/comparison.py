"""What was measured beside what is true, and why they differ; what no reason explains is a fault of the product."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.local.shop.history import Reason, Shop
from services.local.shop.truth import Amounts, Credit, Explained, Observer, channel_amounts


@dataclass(frozen=True, slots=True)
class Measured:
    """What the installation answered. The report covers all its deals, of the shop or not."""

    credits: Mapping[str, tuple[Credit, ...]]
    """By the id of each deal of the shop, in the order of its journey."""
    reported_deals: int
    reported: Mapping[str, int]
    """Cents by channel."""


@dataclass(frozen=True, slots=True)
class Row:
    """One channel's money, in cents."""

    channel: str
    measured: int
    true: int
    why: Mapping[Reason, int]
    """By reason, what it adds to the measured amount or takes from it; the largest first."""

    @property
    def difference(self) -> int:
        return self.measured - self.true

    @property
    def unexplained(self) -> int:
        return self.difference - sum(self.why.values())


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A deal that was credited otherwise than an honest observer would have."""

    deal_id: str
    expected: tuple[Credit, ...]
    measured: tuple[Credit, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All channels, the truly strongest first, and everything that is not as it should be."""

    rows: tuple[Row, ...]
    disagreements: tuple[Disagreement, ...]
    other_deals: int
    """Won deals in the report that are not the shop's; negative when some of the shop's are missing."""
    misreported: Mapping[str, int]
    """By channel, what the report has more than the credits; empty where other deals are in it."""
    moved: Mapping[Reason, int]
    """Cents that each reason took from one channel and gave to another."""

    @property
    def explained(self) -> bool:
        """Whether every cent is where an honest observer puts it."""
        return not self.disagreements and not self.misreported and self.other_deals >= 0


def expect(shop: Shop, model: str, lookback: timedelta) -> dict[str, Explained]:
    """By deal id, what should be measured and why; a deal that is not won has no credits."""
    observer = Observer(shop)
    nothing = Explained(Counter(), (), {})
    return {deal.deal_id: observer.explain(deal, model, lookback) if deal.won else nothing for deal in shop.deals}


def compare(shop: Shop, expected: Mapping[str, Explained], measured: Measured) -> Comparison:
    """Hold the measured credits of all deals against the expected ones, touch by touch and cent by cent."""
    seen: Amounts = Counter()
    true: Amounts = Counter()
    why: dict[str, Counter[Reason]] = defaultdict(Counter)
    moved: Counter[Reason] = Counter()
    for deal_id, deal in expected.items():
        seen.update(channel_amounts(measured.credits[deal_id]))
        true.update(deal.true)
        for reason, changes in deal.moved.items():
            moved[reason] += sum(change for change in changes.values() if change > 0)
            for channel, change in changes.items():
                why[channel][reason] += change
    rows = [Row(channel, seen[channel], true[channel], _ordered(why[channel])) for channel in {*seen, *true, *why}]
    other_deals = measured.reported_deals - len(shop.won_deals)
    differences = {
        channel: measured.reported.get(channel, 0) - seen[channel] for channel in {*seen, *measured.reported}
    }
    return Comparison(
        rows=tuple(sorted(rows, key=lambda row: (-row.true, -row.measured, row.channel))),
        disagreements=tuple(
            Disagreement(deal_id, deal.visible, measured.credits[deal_id])
            for deal_id, deal in expected.items()
            if deal.visible != measured.credits[deal_id]
        ),
        other_deals=other_deals,
        misreported={} if other_deals else {channel: cents for channel, cents in differences.items() if cents},
        moved=_ordered(moved),
    )


def _ordered(amounts: Counter[Reason]) -> dict[Reason, int]:
    """The reasons that move money, the largest first, equal ones in their own order."""
    return {
        reason: amounts[reason]
        for reason in sorted(Reason, key=lambda reason: -abs(amounts[reason]))
        if amounts[reason]
    }
