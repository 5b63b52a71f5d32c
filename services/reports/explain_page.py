"""What `closedloop explain DEAL` prints: the answer as a page of text, for people who answer for the numbers."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from schemas.money import EXPONENTS
from services.reports.explain_answers import (
    Contact,
    Correction,
    DealExplanation,
    ExplainedTouch,
    OutsideTouches,
    Split,
    Version,
)
from services.reports.text_page import table_text

RULES = {
    "identified": "{} identified in it",
    "earlier": "{} identified before it",
    "later": "{} identified after it",
    "named": "it names {}",
}
DIGITS_BEHIND = 4
"""Of exact money, behind the currency's own."""
LONGEST_FRACTION = 15
"""Of a share; a longer one is told in percent alone."""


def explain_page(deal: DealExplanation) -> str:
    """The page."""
    sections = [
        ("Contacts", table_text(("contact", "lead", "all its identifiers"), map(_contact, deal.contacts))),
        ("Versions, in the CRM's order", table_text(_VERSION, map(_version, deal.versions))),
    ]
    if deal.window is not None:
        sections.append(("Window", "\n".join(_window(deal))))
    if deal.missing:
        sections.append(("Nobody is credited", "\n".join(f"  {problem.message}" for problem in deal.missing)))
    if deal.touches and not deal.missing:
        sections.append(("Journey", table_text(_TOUCH, map(_touch, deal.touches))))
        sections.append(("Milestones", table_text(("milestone", "at (UTC)", ">touch"), _milestones(deal))))
        sections += [_split(deal, split) for split in deal.splits[:1]]
    if len(deal.splits) > 1 and not deal.missing:
        sections.append(("What every model gives", "\n\n".join(_all_splits(deal))))
    sections.append(("How it came to that", table_text(_CORRECTION, map(_correction, deal.history))))
    return "\n".join([*_head(deal), *(f"\n{title}\n{text or '  none'}" for title, text in sections)])


def _head(deal: DealExplanation) -> Iterator[str]:
    yield f"Deal {deal.id} is {deal.stage}" + (f", {deal.amount} {deal.currency}" if deal.amount else "")
    dates = (("created", deal.created_at), ("closed", deal.closed_at), ("version of", deal.updated_at))
    yield ", ".join(f"{name} {_time(at)} UTC" for name, at in dates if at) + (
        f", owner {deal.owner}" if deal.owner else ""
    )
    if deal.as_of:
        yield f"Its money is shown as it stood at {_time(deal.as_of)} UTC, people and versions as they are now."
    if not deal.credited:
        yield "Only a won deal has credits."


def _contact(contact: Contact) -> tuple[str, ...]:
    shared = " (shared by many: it names nobody else)" if contact.shared else ""
    return (
        (contact.contact or "not known yet") + shared,
        str(contact.lead_id or "-"),
        ", ".join(contact.identifiers) or "-",
    )


_VERSION = ("updated (UTC)", "event", "stage", ">amount", "", "created", "closed", "owner", "contacts", "")


def _version(version: Version) -> tuple[str, ...]:
    return (
        _time(version.updated_at),
        version.event_id,
        version.stage,
        version.amount or "-",
        version.currency or "",
        _time(version.created_at),
        _time(version.closed_at),
        version.owner or "-",
        ", ".join(version.contacts) or "-",
        "counts" if version.is_newest else "" if version.counts else "its event id is another record's",
    )


def _window(deal: DealExplanation) -> Iterator[str]:
    assert deal.window is not None
    yield (
        f"  from {_time(deal.window.first)}, {deal.window.lookback_days} days before the deal began, "
        f"to {_time(deal.window.last)} UTC, its close"
    )
    yield from (_outside(outside) for outside in deal.window.outside)


def _outside(outside: OutsideTouches) -> str:
    nearest = f"{outside.nearest_channel}, {outside.nearest_source} / {outside.nearest_medium}"
    page = f", {outside.nearest_landing_page}" if outside.nearest_landing_page else ""
    counted = f"{outside.touches} {'touch' if outside.touches == 1 else 'touches'}"
    return f"  {counted} {outside.side} it; the nearest {_time(outside.nearest_at)}: {nearest}{page}"


_TOUCH = (">#", "when (UTC)", "channel", "source / medium", "campaign", "landing page", "the deal's because")


def _touch(touch: ExplainedTouch) -> tuple[str, ...]:
    return (
        str(touch.place),
        _time(touch.occurred_at),
        touch.channel,
        f"{touch.source} / {touch.medium}",
        touch.campaign or "-",
        touch.landing_page or "-",
        RULES[touch.owned_by].format(touch.identifier) if touch.owned_by else "it no longer is",
    )


def _milestones(deal: DealExplanation) -> Iterator[tuple[str, ...]]:
    for milestone in deal.milestones:
        yield milestone.milestone, _time(milestone.at), str(milestone.place)


def _split(deal: DealExplanation, split: Split) -> tuple[str, str]:
    currency = deal.credited_currency or ""
    rows = [
        (
            str(touch.place),
            touch.channel,
            part.share if len(part.share) <= LONGEST_FRACTION else "",
            f"{part.percent} %",
            _decimals(part.exact, currency) if part.exact else "",
            f"{part.rounded_down} + 1 unit" if part.given else part.rounded_down or "",
            part.amount,
        )
        for touch, part in zip(deal.touches, split.parts, strict=True)
    ]
    rows.append(("", "all", "", "", "", "", deal.credited_amount or ""))
    head = (">#", "channel", ">share", ">percent", ">exact", ">rounded", f">{currency}")
    return f"What {split.model} gives", table_text(head, rows) + "\n\n  " + _rounding(deal, split)


def _rounding(deal: DealExplanation, split: Split) -> str:
    if split.left is None:
        return "The rules have changed since: the ledger keeps what this model gave then, not its exact fractions."
    given = [str(part.place) for part in split.parts if part.given]
    if not given:
        return "The parts are whole minor units: nothing was rounded."
    return (
        f"Rounded down, {split.left} {deal.credited_currency} were left: one minor unit each to the largest remainders,"
        f" ties to the earlier touch, so to {', '.join(given)}."
    )


def _all_splits(deal: DealExplanation) -> Iterator[str]:
    """As many models side by side as a page has room for."""
    for first in range(0, len(deal.splits), MODELS_ABREAST):
        splits = deal.splits[first : first + MODELS_ABREAST]
        rows = [
            (str(touch.place), touch.channel, *(split.parts[touch.place - 1].amount for split in splits))
            for touch in deal.touches
        ]
        yield table_text((">#", "channel", *(f">{split.model}" for split in splits)), rows)


MODELS_ABREAST = 5

_CORRECTION = ("when (UTC)", "why", ">amount", "", ">touches", "moved")


def _correction(correction: Correction) -> tuple[str, ...]:
    moved = (f"{each.key} {_signed(each.difference)}" for each in correction.moved)
    return (
        f"{correction.at:%Y-%m-%d %H:%M:%S}",
        correction.cause,
        correction.amount or "no longer won",
        correction.currency or "",
        str(correction.touches),
        ", ".join(moved) or "-",
    )


def _decimals(exact: str, currency: str) -> str:
    """A fraction of minor units as a decimal number of the currency, with an ellipsis where it goes on."""
    digits = EXPONENTS[currency] + DIGITS_BEHIND
    scaled = Fraction(exact) * 10**DIGITS_BEHIND
    whole = scaled.numerator // scaled.denominator
    return f"{Decimal(whole).scaleb(-digits):.{digits}f}" + ("…" if whole != scaled else "")


def _signed(difference: str) -> str:
    return difference if difference.startswith("-") else f"+{difference}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
