"""What a household's deals should be credited, by the reference model; models of the rules included."""

from collections.abc import Sequence
from fractions import Fraction

from schemas.credit import MODELS as BUILT_IN
from schemas.deal import Stage
from services.runtime.rules import Rules
from tests.ledger.households import Event
from tests.reference.counting import records_of, that_count
from tests.reference.deals import Journey, journey_of, newest_deals, touches_of
from tests.reference.models import by_milestones, divided, shares_of
from tests.reference.offline import offline_touches_of
from tests.reference.people import people_of
from tests.reference.visits import visits_of

Credited = dict[tuple[str, str], tuple[list[str | None], list[int]]]
"""By deal and model the ids of the touches, None where nobody is known, and their amounts."""


def credited(events: Sequence[Event], rules: Rules) -> Credited:
    """The credits of all deals that are won in the end."""
    counting = that_count(records := records_of(events))
    people = people_of(records, counting)
    visits = visits_of(counting, people)
    touches = touches_of(visits, offline_touches_of(counting, people, visits))
    won = [deal for deal in newest_deals(counting, rules.zone) if deal.stage is Stage.won]
    journeys = [journey_of(deal, touches, people, counting, rules.lookback) for deal in won]
    return {
        (journey.deal.deal_id, model): (
            [touch.touch_id for touch in journey.touches] or [None],
            divided(journey.deal.amount, shares),
        )
        for journey in journeys
        for model, shares in all_shares(journey, rules).items()
    }


def all_shares(journey: Journey, rules: Rules) -> dict[str, list[Fraction]]:
    """Of each model, those of the rules included; of a journey without touches the whole goes to nobody in particular."""
    shares = {model: shares_of(model, journey) for model in BUILT_IN}
    for name, parts in rules.custom_models.items():
        model = by_milestones({part: Fraction(size) for part, size in parts._asdict().items()})
        shares[name] = model(journey) if journey.touches else [Fraction(1)]
    return shares
