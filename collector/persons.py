"""Gathers an event's personal values in its `person`, and chooses its one e-mail address. Pure."""

from collections.abc import Iterator
from typing import Any

from collector.refusal import Reason, RefusedError
from schemas.event import EventType
from schemas.identifier import email_identifier, is_blocked

_ALWAYS = ("email", "user_id", "previous_id", "traits")
_OF_TYPE = {EventType.deal: ("contacts",), EventType.contact: ("contact_id",), EventType.unlink: ("a", "b")}

_EMAIL_FIELDS = ("email", "e-mail", "mail", "user_email")
"""Names of form fields that hold an e-mail address, in order of preference."""

_IDENTIFIERS = ("email", "given_email", "user_id", "previous_id", "contact_id")


def gather_person(event: dict[str, Any], event_type: EventType) -> None:
    """Move all personal values of the event into its `person`.

    A `person` that the sender made up himself is no statement of ours; it is kept inside as `given_person`. The same
    goes for an e-mail address that is none, when a form field holds another: it becomes `given_email`.
    """
    person: dict[str, Any] = {}
    if "person" in event:
        person["given_person"] = event.pop("person")
    for name in (*_ALWAYS, *_OF_TYPE.get(event_type, ())):
        if name in event:
            person[name] = event.pop(name)
    form = event.get("form")
    if form is not None:
        event["form"], fields, reported = _open_form(form)
        if fields:
            person["fields"] = fields
            _choose_email(person, _addresses(fields, reported))
    if person:
        event["person"] = person


def _open_form(form: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The form without its fields, the fields, and the names that the tracker reports as type=email."""
    fields = form.get("fields")
    reported = form.get("email_fields")
    fields = {} if fields is None else fields
    reported = [] if reported is None else reported
    if not isinstance(fields, dict):
        raise RefusedError(Reason.invalid_form, f"form.fields: {Reason.invalid_form.hint}")
    if not isinstance(reported, list) or not all(isinstance(name, str) for name in reported):
        raise RefusedError(Reason.invalid_form, f"form.email_fields: {Reason.invalid_form.hint}")
    return {name: value for name, value in form.items() if name != "fields"}, fields, reported


def _choose_email(person: dict[str, Any], others: Iterator[object]) -> None:
    """Keep the event's own address where it is one, else take the first of `others` that is."""
    given = person.get("email")
    if email_identifier(given) is not None:
        return
    chosen = next((address for address in others if email_identifier(address) is not None), None)
    if chosen is not None:
        person["email"] = chosen
        if given is not None:
            person["given_email"] = given


def _addresses(fields: dict[str, Any], reported: list[str]) -> Iterator[object]:
    """The values of a form that may be an address: by the well-known names, then by what the tracker reports."""
    for wanted in _EMAIL_FIELDS:
        names = [name for name in fields if name.lower() == wanted]
        if names:
            yield fields[min(names)]
    for name in sorted(reported):
        yield fields.get(name)


def names_a_stand_in(person: dict[str, Any]) -> bool:
    """Whether a sender sent `null`, `undefined` or the like in place of an identifier; of a deal, for any contact."""
    named = (holder.get(name) for holder in (person, *person.get("contacts", ())) for name in _IDENTIFIERS)
    return any(
        is_blocked(value if isinstance(value, str) else f"{value:g}")  # a number in digits: 0.0 is the 0 of an id
        for value in named
        if isinstance(value, str | int | float)
    )
