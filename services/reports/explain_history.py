"""How the ledger came to what it says of a deal: entries to corrections. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from schemas.money import decimal_text
from services.reports.explain_answers import Correction, MovedMoney
from services.reports.rows import Row


def holding(entries: Sequence[Row], as_of: datetime | None) -> Row | None:
    """The entry that holds at `as_of`, of those recorded up to it, the newest first."""
    newest = next(iter(entries), None)
    return None if newest is None or _ended(newest, as_of) else newest


def history_of(entries: Sequence[Row], as_of: datetime | None) -> Iterator[Correction]:
    """One line for each time the ledger opened or closed something, the oldest first.

    `entries` are as far as they had been recorded at `as_of`, the newest first, with amounts of one model.
    """
    held: Row | None = None
    for entry in reversed(entries):
        if entry["superseded_at"] == entry["recorded_at"]:
            continue  # it ended as it began, and never held
        if held is not None and held["superseded_at"] != entry["recorded_at"]:
            yield _correction(held["superseded_at"], held["superseded_cause"], held, None)
            held = None
        yield _correction(entry["recorded_at"], entry["cause"], held, entry)
        held = entry
    if held is not None and _ended(held, as_of):
        yield _correction(held["superseded_at"], held["superseded_cause"], held, None)


def _correction(at: datetime, cause: str, before: Row | None, after: Row | None) -> Correction:
    moved: defaultdict[tuple[str, str], int] = defaultdict(int)
    for sign, entry in ((-1, before), (1, after)):
        if entry is not None:
            for channel, amount in zip(entry["channel"], entry["amounts"] or (), strict=False):
                moved[channel, entry["currency"]] += sign * amount
    told = sorted((key for key, amount in moved.items() if amount), key=lambda key: (-abs(moved[key]), key))
    return Correction(
        at=at,
        cause=cause,
        amount=None if after is None else decimal_text(after["amount"], after["currency"]),
        currency=None if after is None else after["currency"],
        touches=0 if after is None or after["touch_id"][0] is None else after["touches"],
        moved=[MovedMoney(key=key[0], difference=decimal_text(moved[key], key[1]), currency=key[1]) for key in told],
    )


def _ended(entry: Row, as_of: datetime | None) -> bool:
    return entry["superseded_at"] is not None and (as_of is None or entry["superseded_at"] <= as_of)
