"""What makes up a lead's score: the setting, read and checked.

A score is a sum of dated parts. Each part counts one kind of moment in a lead's history, gives each some points, which
may fade with age, and adds so much at most.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Counted = Literal[
    "visit", "pageview", "form", "identify", "click", "download", "video", "custom", "email_open", "touch",
    "days_since_last",
]  # fmt: skip
"""A visit, a hit of this type, an opened e-mail, an offline touch; or whole days since the last of any of them."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ScorePart(BaseModel):
    """One part of the score."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: Counted
    points: Annotated[float, Field(allow_inf_nan=False)]
    """For each moment; below zero it takes away."""
    at_most: Positive
    """Points that the part adds, or takes away, all in all. The newest moments fill it first."""
    half_life_days: Positive | None = None
    """After so many days a moment is worth half of its points; None: it never fades."""
    path: str | None = None
    """Only moments on a page whose path begins so, such as `/pricing`."""
    name: str | None = None
    """Only moments of this name, such as a custom event's."""

    @model_validator(mode="after")
    def _fits_what_it_counts(self) -> Self:
        if self.counts == "days_since_last" and not (self.points < 0 and self.path is self.name is None):
            raise ValueError("days_since_last takes points below 0, and neither path nor name")
        if self.points < 0 and self.half_life_days is not None:
            raise ValueError("what takes points away does not fade; leave out half_life_days")
        return self


class ScoreRules(BaseModel):
    """All parts by name, and how many points make a lead marketing-qualified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: Positive
    parts: dict[str, ScorePart]


DEFAULT_SCORE = ScoreRules(
    threshold=50,
    parts={
        "visits": ScorePart(counts="visit", points=2, at_most=20, half_life_days=30),
        "pricing": ScorePart(counts="pageview", path="/pricing", points=5, at_most=20, half_life_days=30),
        "forms": ScorePart(counts="form", points=20, at_most=40, half_life_days=90),
        "downloads": ScorePart(counts="download", points=10, at_most=30, half_life_days=90),
        "signed in": ScorePart(counts="identify", points=10, at_most=10),
        "e-mails opened": ScorePart(counts="email_open", points=1, at_most=10, half_life_days=30),
    },
)
"""Two forms and a few visits within a season make a lead marketing-qualified; half a year of silence unmakes it."""


def parse_score(text: str) -> ScoreRules:
    """The rules that a JSON text writes out. Raises ValueError with the place of the first fault and what it is."""
    try:
        return ScoreRules.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {reason}" if place else reason) from error
