"""Credit: one touch's part of a won deal under one model, and the models that there are."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from math import lcm
from typing import Any, NamedTuple

from schemas.visit import Source

MODELS = (
    *("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "j_shaped", "inverse_j"),
    *("time_decay", "w_shaped", "full_path"),
)
"""The names of the models that the ledger keeps for every won deal; those of the rules come after them."""

PERIOD_MODELS = ("markov", "shapley")
"""Those that look at all journeys of a period, and credit channels alone."""

MODEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

_PART = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?|[0-9]{1,18}/[0-9]{1,18}")
"""Short enough for exact arithmetic: Fraction would write `1e99999999` out."""


class Milestones(NamedTuple):
    """A model: its parts for four touches of a journey, and for all others together. In any unit; 0 is no milestone."""

    first: int = 0
    lead: int = 0
    """At the lead's creation."""
    deal: int = 0
    """At the deal's creation."""
    last: int = 0
    others: int = 0


def parse_models(text: str) -> dict[str, Milestones]:
    """The models of CLOSEDLOOP_MODELS, sorted by name: a JSON object of name to parts that sum to 1.

    A part is a JSON number, taken as the decimal that it is written as, or a fraction as "1/3"; a missing one is 0.
    Raises ValueError that names the model and says what is wrong.
    """
    try:
        told = json.loads(text or "{}", parse_float=str, parse_int=str, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise ValueError(  # noqa: TRY004 - what pydantic takes for a wrong setting
            'is no JSON object such as {"mine": {"first": 0.5, "others": 0.5}}'
        )
    return {name: _milestones(name, told[name]) for name in sorted(told)}


def models_text(models: Mapping[str, Milestones]) -> str:
    """The one text of these models that `parse_models` reads, whoever wrote them and how; empty without any."""
    told = {
        name: {field: str(Fraction(part, sum(parts))) for field, part in parts._asdict().items() if part}
        for name, parts in sorted(models.items())
    }
    return json.dumps(told) if told else ""


def _each_name_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return told


def _milestones(name: str, told: Any) -> Milestones:
    if not MODEL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a model: small letters, digits and underscores, 63 at most")
    if name in MODELS + PERIOD_MODELS:
        raise ValueError(f"there is a model {name} already; give yours another name")
    if not isinstance(told, dict) or not set(told) <= set(Milestones._fields):
        raise ValueError(f"{name} is no object of {', '.join(Milestones._fields)}")
    if not all(isinstance(part, str) and _PART.fullmatch(part) for part in told.values()):
        raise ValueError(f'{name} has a part that is no number such as 0.4 or "1/3"')
    try:
        shares = {field: Fraction(part) for field, part in told.items()}
    except ZeroDivisionError as error:
        raise ValueError(f"{name} has a part that is divided by 0") from error
    if any(share < 0 for share in shares.values()) or sum(shares.values()) != 1:
        raise ValueError(f"the parts of {name} are not numbers from 0 on that sum to 1")
    whole = lcm(*(share.denominator for share in shares.values()))
    return Milestones(**{field: int(share * whole) for field, share in shares.items()})


UNATTRIBUTED = Source("Unattributed", "(not set)", "(not set)")
"""Who is credited when no touch is known, so that the sum still holds."""


class Cause(StrEnum):
    """Why the ledger got an entry, or closed one."""

    deal_changed = "deal changed"
    touch_arrived = "touch arrived"
    leads_changed = "leads merged or split"
    rules_changed = "rules changed"
    erased = "erased"
    replayed = "replayed"


class Credits(NamedTuple):
    """The parts of one deal under one model, in the journey's order."""

    model: str
    parts: tuple[int, ...]
    """Whole numbers: a share is a part of their sum."""
    amounts: tuple[int, ...]
    """Minor units, summing to the deal's amount."""
