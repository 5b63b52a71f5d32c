"""What one model gave to each touch of an entry, in exact fractions, and what rounding did. Pure."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from schemas.money import decimal_text
from services.attribution.split import split
from services.attribution.weights import Course, Model, Parts, shares_of
from services.attribution.window import milestone
from services.reports.explain_answers import Part, Split
from services.reports.rows import Row


def split_of(entry: Row, credit: Row, models: Mapping[str, Model]) -> Split:
    """The split that `credit`, a row of the ledger, has of `entry`.

    It is exact where the model of today's rules still gives these shares and amounts; of a model that the rules have
    changed since, the ledger has the shares as doubles and the amounts alone.
    """
    parts = _parts(entry, credit["model"], models)
    amounts = list(credit["amounts"])
    if parts is None or shares_of(parts) != list(credit["shares"]) or list(split(entry["amount"], parts)) != amounts:
        return Split(model=credit["model"], left=None, parts=_told(amounts, credit["shares"], entry["currency"]))
    return _exact(credit["model"], entry["amount"], entry["currency"], parts, amounts)


def course_of(entry: Row) -> Course:
    """What models look at of an attributed entry."""
    times = entry["occurred_at"]
    return Course(entry["channel"], times, (entry["lead_touch"] or 1) - 1, milestone(times, entry["created_at"]))


def _parts(entry: Row, model: str, models: Mapping[str, Model]) -> Parts | None:
    if entry["touch_id"][0] is None:
        return (1,)
    return models[model](course_of(entry)) if model in models else None


def _exact(model: str, amount: int, currency: str, parts: Parts, amounts: Sequence[int]) -> Split:
    whole = sum(parts)
    down = [amount * part // whole for part in parts]
    return Split(
        model=model,
        left=decimal_text(amount - sum(down), currency),
        parts=[
            Part(
                place=place,
                share=str(Fraction(part, whole)),
                percent=f"{100 * part / whole:.2f}",
                exact=str(Fraction(amount * part, whole)),
                rounded_down=decimal_text(units, currency),
                given=money > units,
                amount=decimal_text(money, currency),
            )
            for place, (part, units, money) in enumerate(zip(parts, down, amounts, strict=True), 1)
        ],
    )


def _told(amounts: Sequence[int], shares: Sequence[float], currency: str) -> list[Part]:
    return [
        Part(
            place=place,
            share=f"{share:.6f}",
            percent=f"{100 * share:.2f}",
            exact=None,
            rounded_down=None,
            given=False,
            amount=decimal_text(money, currency),
        )
        for place, (money, share) in enumerate(zip(amounts, shares, strict=True), 1)
    ]
