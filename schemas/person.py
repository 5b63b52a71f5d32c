"""The personal values of an event, kept in one place so that an erasure has one place to rewrite."""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.identifier import contact_identifier, email_identifier, user_identifier

GivenId = str | int | float | bool
"""An id as JSON has it. Without bool among them, pydantic would read `true` as the user id 1."""


REFUSED_CHARACTERS = 64
"""How much of what is no identifier is shown."""


class Contact(BaseModel):
    """A person on a deal: an e-mail address, the CRM's contact id, or both."""

    model_config = ConfigDict(frozen=True, extra="allow")

    email: str | None = None
    contact_id: GivenId | None = None

    def identifiers(self, provider: str) -> tuple[str, ...]:
        """The valid identifiers of this contact, the e-mail first."""
        found = (email_identifier(self.email), contact_identifier(provider, self.contact_id))
        return tuple(identifier for identifier in found if identifier)


class Person(BaseModel):
    """Whoever an event speaks of, in the sender's spelling. `fields` are those of a form."""

    model_config = ConfigDict(frozen=True, extra="allow")

    email: str | None = None
    user_id: GivenId | None = None
    previous_id: GivenId | None = None
    contact_id: GivenId | None = None
    contacts: tuple[Contact, ...] = ()
    fields: dict[str, Any] | None = None
    a: str | None = None
    """One side of an `unlink`, with its kind."""
    b: str | None = None

    def identifiers(self, provider: str | None = None) -> tuple[str, ...]:
        """The event's own identifiers, first the one that decides whom it identifies: e-mail, CRM, user, previous id.

        Those of a deal's contacts are not among them: a deal is about several people.
        """
        email, user, previous = self._own
        found = (email, contact_identifier(provider, self.contact_id) if provider else None, user, previous)
        return tuple(dict.fromkeys(identifier for identifier in found if identifier))

    @property
    def refused(self) -> tuple[str, ...]:
        """What was given as an identifier and is none, with its kind: a stand-in for a missing value, or no address."""
        kinds, given = ("email", "user", "previous"), (self.email, self.user_id, self.previous_id)
        return tuple(
            f"{kind}:{value}"[:REFUSED_CHARACTERS]
            for kind, value, identifier in zip(kinds, given, self._own, strict=True)
            if value is not None and identifier is None
        )

    @cached_property
    def _own(self) -> tuple[str | None, str | None, str | None]:
        """E-mail, user id and previous id as identifiers, None for what is none; asked for many times an event."""
        return email_identifier(self.email), user_identifier(self.user_id), user_identifier(self.previous_id)
