"""Events that say something of people and are no hits: offline touches, and cuts between identifiers."""

from typing import Literal, Self

from pydantic import model_validator

from schemas.event import Event, EventType
from schemas.identifier import parse_identifier


class TouchEvent(Event):
    """A contact away from the website: a call, a fair, a letter. `name` says which."""

    type: Literal[EventType.touch]
    channel: str | None = None
    """As the sender names it; without one it follows from the others."""
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None


class UnlinkEvent(Event):
    """The identifiers `person.a` and `person.b` are two people, whatever links them; with `undo` they may be one."""

    type: Literal[EventType.unlink]
    undo: bool = False

    @property
    def sides(self) -> tuple[str | None, str | None]:
        """The two identifiers, normalised; None where one is none."""
        return parse_identifier(self.person.a or ""), parse_identifier(self.person.b or "")

    @model_validator(mode="after")
    def _sides_are_two_identifiers(self) -> Self:
        if None in self.sides or len(set(self.sides)) == 1:
            raise ValueError("person: a and b are not two identifiers")
        return self
