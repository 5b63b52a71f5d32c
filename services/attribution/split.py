"""Money split in given proportions, to the last minor unit."""

from collections.abc import Sequence


def split(amount: int, parts: Sequence[int]) -> tuple[int, ...]:
    """Whole minor units by the largest remainder method (Hamilton), ties to the earlier; they sum to `amount`.

    `parts` are proportions: at least one, none negative, not all 0.
    """
    whole = sum(parts)
    if whole in parts:
        place = parts.index(whole)
        return (0,) * place + (amount,) + (0,) * (len(parts) - 1 - place)
    units = [amount * part // whole for part in parts]
    over = amount - sum(units)
    if over:
        remainders = [amount * part % whole for part in parts]
        # Reversed, and yet stable: of equal remainders the earlier stays in front.
        for place in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:over]:
            units[place] += 1
    return tuple(units)
