"""The shapes of the answers about what moved. A difference is what came after less what was before."""

from pydantic import Field

from services.reports.answers import Answer, Instant


class Moved(Answer):
    """What one key of the report won or lost; never 0."""

    key: str
    difference: str


class MovedByCause(Answer):
    """What the corrections of one cause moved in the sum; 0 where they only moved money from key to key."""

    cause: str
    corrections: int
    difference: str


class Receipt(Answer):
    """One correction of one deal: what the ledger closed and opened of it at one instant."""

    at: Instant
    cause: str
    """Why, in the ledger's words: `deal changed`, `touch arrived`, `leads merged or split`, `rules changed`, `erased`,
    `replayed`."""
    deal: str
    """`provider:deal_id`."""
    model: str
    before: str
    """What the report had of this deal until `at`; 0 where it was not in it."""
    after: str
    difference: str
    moved: list[Moved]
    """By key, the largest movement first; empty where only what the report does not show has changed."""


class UnratedCorrections(Answer):
    """Corrections that neither report can show, because no rate turns their currency into that of the report."""

    from_: str = Field(serialization_alias="from")
    to: str
    corrections: int


class Receipts(Answer):
    """What moved between two instants: `before` plus all differences is `after`, in the sum and for each key."""

    since: Instant
    until: Instant
    model: str
    by: str
    from_: str | None = Field(serialization_alias="from")
    to: str | None
    currency: str | None
    """Of both reports: the one asked for, else that of most deals at `until`; null when nothing was won at either."""
    before: str
    """The total of the report as it stood at `since`."""
    after: str
    """The total of the report as it stood at `until`."""
    difference: str
    causes: list[MovedByCause]
    """Over all corrections, also those that `receipts` leaves out."""
    keys: list[Moved]
    """Over all corrections; keys that moved, the largest movement first."""
    receipts: list[Receipt]
    """Those that moved most, the largest movement first."""
    missing_rates: list[UnratedCorrections]
    left_out: int
    """How many corrections are not in `receipts`; ask with a higher `limit` for them."""
