"""The demo shop: a simulated software company whose truth is known, to hold against what was measured. Pure."""

from services.local.shop.history import Shop
from services.local.shop.scenes import SCENES
from services.local.shop.script import Script

__all__ = ["Shop", "simulate"]


def simulate(seed: int, visitors: int) -> Shop:
    """The shop of this seed with exactly `visitors` cookies; dates, ids and people come from the two alone.

    Every scene is played once first, as far as the visitors reach, so that a shop of a few dozen has all troubles.
    """
    if visitors < 1:
        raise ValueError("a shop needs at least one visitor")
    script = Script(seed, visitors)
    for scene in SCENES:
        if scene.cookies <= visitors - script.cookies:
            scene.play(script)
    while script.cookies < visitors:
        scene = script.rng.choices(SCENES, [scene.weight for scene in SCENES])[0]
        if scene.cookies <= visitors - script.cookies:
            scene.play(script)
    deliveries = sorted(script.deliveries, key=lambda delivery: (delivery.at, delivery.payload["event_id"]))
    return Shop(
        seed=seed,
        visitors=visitors,
        people=tuple(script.people),
        visits=tuple(script.visits),
        deals=tuple(script.deals),
        deliveries=tuple(deliveries),
    )
