"""`closedloop receipts`: what moved between two instants, as a page of text for people who answer for the numbers."""

from datetime import datetime

from services.reports.receipt_answers import Receipt, Receipts
from services.reports.text_page import table_text

MOVED_SHOWN = 3
"""Keys of one correction; the API has them all."""


def receipts_page(receipts: Receipts) -> str:
    """The page: why, where, and the deals that moved most."""
    period = f" of deals closed from {receipts.from_ or 'ever'} to {receipts.to or 'ever'}" * bool(
        receipts.from_ or receipts.to
    )
    lines = [
        f"What moved in {receipts.model} revenue by {receipts.by}{period}",
        f"after {_to_the_second(receipts.since)} and up to {_to_the_second(receipts.until)} UTC",
        f"{receipts.before} before, {receipts.after} after: {_signed(receipts.difference)} {receipts.currency or ''}",
    ]
    if not receipts.causes:
        return "\n".join([*lines, "", "Nothing was corrected."])
    causes = [(each.cause, str(each.corrections), _signed(each.difference)) for each in receipts.causes]
    keys = [(each.key, _signed(each.difference)) for each in receipts.keys]
    lines += ["", "Why", table_text(("cause", ">corrections", ">difference"), causes)]
    lines += ["", "Where", table_text((receipts.by, ">difference"), keys) or "  no key has more or less than before"]
    lines += ["", "The deals that moved most", table_text(_CORRECTION, map(_correction, receipts.receipts))]
    if receipts.left_out:
        lines += ["", f"{receipts.left_out} more corrections are in the sums above; --limit shows more of them."]
    for missing in receipts.missing_rates:
        rate = f"{missing.from_} to {missing.to}"
        lines += ["", f"{missing.corrections} corrections are left out: `closedloop import rates` a rate from {rate}."]
    return "\n".join(lines)


_CORRECTION = ("when (UTC)", "deal", "why", ">before", ">after", ">difference", "moved")


def _correction(line: Receipt) -> tuple[str, ...]:
    told = [f"{moved.key} {_signed(moved.difference)}" for moved in line.moved[:MOVED_SHOWN]]
    more = [f"{len(line.moved) - MOVED_SHOWN} more"] if len(line.moved) > MOVED_SHOWN else []
    return (
        _to_the_second(line.at),
        line.deal,
        line.cause,
        line.before,
        line.after,
        _signed(line.difference),
        ", ".join(told + more) or "-",
    )


def _signed(difference: str) -> str:
    return difference if difference.startswith("-") or not difference.strip("0.") else f"+{difference}"


def _to_the_second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
