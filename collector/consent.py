"""What a visitor allowed, from the event and from the signals of the browser. Pure."""

from typing import Any

from collector.refusal import Reason, RefusedError
from schemas.click_ids import CLICK_IDS, parameter_name, strip_click_ids


def refuses_by_signal(headers: dict[bytes, bytes], *, honour_dnt: bool) -> bool:
    """Whether the browser says no: Global Privacy Control, and where the operator wishes it the older Do Not Track.

    `1` is the only value of Sec-GPC with a meaning (W3C, Global Privacy Control).
    """
    return headers.get(b"sec-gpc") == b"1" or (honour_dnt and headers.get(b"dnt") == b"1")


def settle_consent(event: dict[str, Any], *, refused_by_signal: bool) -> bool:
    """Write down what was decided for this event where it differs from granted, and say whether analytics is allowed.

    What the page says of a purpose holds; of what it does not speak the browser's signal decides. An event with no
    word of either stays without: granted, yet by nobody, so that it overrules no refusal. Raises RefusedError.
    """
    decided = {name: value for name, value in event.pop("consent", {}).items() if value is not None}
    for purpose in ("analytics", "marketing"):
        if refused_by_signal:
            decided.setdefault(purpose, False)
        if not isinstance(decided.get(purpose, True), bool):
            raise RefusedError(Reason.invalid_consent, f"consent.{purpose}: {Reason.invalid_consent.hint}")
    if decided:
        event["consent"] = decided
    return decided.get("analytics", True) is True


def without_click_ids(value: Any) -> Any:
    """The JSON value without click ids, at any depth: no field that is named like one, none in an address.

    Sites keep them in hidden fields of forms, and libraries repeat the page's address among an event's properties. A
    text is an address when it has a query and no white space.
    """
    if isinstance(value, str):
        return strip_click_ids(value) if "?" in value and len(value.split(maxsplit=1)) == 1 else value
    if isinstance(value, dict):
        return {name: without_click_ids(item) for name, item in value.items() if parameter_name(name) not in CLICK_IDS}
    if isinstance(value, list):
        return [without_click_ids(item) for item in value]
    return value
