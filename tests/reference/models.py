"""How a deal's money is shared out: each model's exact shares of a journey, and whole minor units by them."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from tests.reference.deals import Journey

Shares = list[Fraction]

WEEK = 604_800

MILESTONES = {
    "w_shaped": {"first": 30, "lead": 30, "deal": 30, "last": 0, "others": 10},
    "full_path": {"first": Fraction(45, 2), "lead": Fraction(45, 2), "deal": Fraction(45, 2), "last": Fraction(45, 2),
                  "others": 10},
}  # fmt: skip
"""Parts of a hundred. A milestone of share 0 is none. A model of the settings is one more line here."""


def shares_of(model: str, journey: Journey) -> Shares:
    """Of a journey without touches the whole goes to nobody in particular."""
    return MODELS[model](journey) if journey.touches else [Fraction(1)]


def first_touch(journey: Journey) -> Shares:
    return alone(journey, 0)


def last_touch(journey: Journey) -> Shares:
    return alone(journey, len(journey.touches) - 1)


def last_non_direct(journey: Journey) -> Shares:
    """All to the last that is not direct; when all are, to the last."""
    sent = [place for place, touch in enumerate(journey.touches) if touch.source[0] != "Direct"]
    return alone(journey, sent[-1] if sent else len(journey.touches) - 1)


def linear(journey: Journey) -> Shares:
    return rescaled([Fraction(1)] * len(journey.touches))


def ends(first: int, middle: int, last: int) -> Callable[[Journey], Shares]:
    """Parts of the first, of all between, and of the last touch; two touches share as their own parts are."""

    def model(journey: Journey) -> Shares:
        between = len(journey.touches) - 2
        if between < 0:
            return [Fraction(1)]
        return rescaled([Fraction(first), *[Fraction(middle, max(between, 1))] * between, Fraction(last)])

    return model


def time_decay(journey: Journey) -> Shares:
    """Half as much for each week before the last touch; the power is a double, its share exact."""
    last = journey.touches[-1].occurred_at
    return rescaled([Fraction(2 ** -((last - each.occurred_at).total_seconds() / WEEK)) for each in journey.touches])


def by_milestones(parts: dict[str, Fraction | int]) -> Callable[[Journey], Shares]:
    """A part for each milestone, those that coincide added up, and one for all other touches together."""

    def model(journey: Journey) -> Shares:
        last = len(journey.touches) - 1
        places = {"first": 0, "lead": journey.lead_creation, "deal": journey.deal_creation, "last": last}
        shares: dict[int, Fraction] = {}
        for name, place in places.items():
            if parts[name]:
                shares[place] = shares.get(place, Fraction(0)) + parts[name]
        others = len(journey.touches) - len(shares)
        each = Fraction(parts["others"]) / max(others, 1)
        return rescaled([shares.get(place, each) for place in range(len(journey.touches))])

    return model


def alone(journey: Journey, chosen: int) -> Shares:
    return [Fraction(place == chosen) for place in range(len(journey.touches))]


def rescaled(parts: Sequence[Fraction]) -> Shares:
    """The same proportions, summing to 1."""
    whole = sum(parts)
    return [part / whole for part in parts]


def divided(amount: int, shares: Sequence[Fraction]) -> list[int]:
    """Minor unit by minor unit to whoever is furthest below the exact part, once all have their whole ones."""
    parts = [amount * share // 1 for share in shares]
    while sum(parts) < amount:
        missing = [amount * share - part for share, part in zip(shares, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return parts


MODELS: dict[str, Callable[[Journey], Shares]] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "last_non_direct": last_non_direct,
    "linear": linear,
    "position_based": ends(40, 20, 40),
    "j_shaped": ends(20, 20, 60),
    "inverse_j": ends(60, 20, 20),
    "time_decay": time_decay,
    **{name: by_milestones(parts) for name, parts in MILESTONES.items()},
}
