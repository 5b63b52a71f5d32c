"""How the dashboard words figures, dates and choices: pure."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

DASH = "\N{EN DASH}"


def grouped(amount: str) -> str:
    """A decimal string with its thousands apart: 1,234.50."""
    return f"{Decimal(amount):,f}"


def count_text(count: float) -> str:
    """A number with its thousands apart and two decimals at most, none when they are zero."""
    return f"{count:,.2f}".rstrip("0").rstrip(".")


def column_texts(counts: Sequence[float]) -> list[str]:
    """Numbers that stand under each other: all with one decimal, or all with none."""
    digits = 0 if all(float(count).is_integer() for count in counts) else 1
    return [f"{count:,.{digits}f}" for count in counts]


def counted(count: float, noun: str) -> str:
    return f"{count_text(count)} {noun}{'' if count == 1 else 's'}"


def part_text(amount: str, total: str) -> str:
    """A share in percent; nothing of nothing is a dash."""
    whole = Decimal(total)
    return f"{100 * Decimal(amount) / whole:.1f} %" if whole else DASH


def title_of(name: str) -> str:
    """A name of the API for people: `first_touch` is First touch."""
    return name.replace("_", " ").capitalize()


def day_text(day: date) -> str:
    return f"{day.day} {day:%b} {day.year}"


def local_day(instant: datetime, zone: ZoneInfo) -> str:
    return day_text(instant.astimezone(zone).date())


def period_text(since: date | None, until: date | None) -> str:
    """A period in words; `until` is exclusive, its words are not."""
    last = until - timedelta(days=1) if until and until > date.min else until
    if since is None and last is None:
        return "all time"
    if since is None or last is None:
        return f"since {day_text(since)}" if since else f"up to {day_text(last or date.max)}"
    return day_text(since) if since == last else f"{day_text(since)} {DASH} {day_text(last)}"
