"""`closedloop explain DEAL`: why a deal's money went where it went, as a page of text."""

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.reports.answers import Credit, DealCredits, DealDetail
from services.reports.store import Store
from services.runtime.postgres import Database
from services.runtime.rules import Rules, rules_of
from services.runtime.settings import Settings

WIDTH = 160


async def explain(database: Database, settings: Settings, address: str) -> str:
    """The deal at `provider:deal_id` or at its bare id, its journey, and what each model gives to each touch.

    Raises Refusal when there is no such deal, or the bare id is that of several.
    """
    store = Store(database, rules_of(settings))
    return explanation(*await store.credits_by_model(address), await store.rules())


def explanation(deal: DealDetail, credits_by_model: Sequence[DealCredits], rules: Rules) -> str:
    """The page. All models have the same touches, in the same order."""
    lines = [f"Deal {deal.id} is {deal.stage}" + (f", {deal.amount} {deal.currency}" if deal.amount else "")]
    dates = (("created", deal.created_at), ("closed", deal.closed_at), ("version of", deal.updated_at))
    lines.append(", ".join(f"{name} {at:%Y-%m-%d %H:%M} UTC" for name, at in dates if at))
    lines.append(f"Contacts: {', '.join(deal.contacts) or 'none'}; they are {len(deal.leads)} lead(s) that we know")
    touches = credits_by_model[0].credits
    if not touches:
        return "\n".join([*lines, "", "Only a won deal has credits."])
    if touches[0].touch_id is None:
        lines.append(
            f"No visit of these leads lies in the {rules.lookback_days} days before the deal or in its course."
        )
    else:
        lines.append(
            f"Candidates are all visits of these leads, from {rules.lookback_days} days before the deal began "
            f"to its close: {len(touches)}"
        )
    return "\n".join([*lines, "", _table(touches, credits_by_model), _SUM.format(deal.amount, deal.currency)])


_SUM = "Each column adds up to {} {}: shares are exact, odd cents go to the largest remainders, then to the earliest."


def _table(touches: Sequence[Credit], credits_by_model: Sequence[DealCredits]) -> str:
    table = Table("when (UTC)", "channel", "source / medium", "campaign", "landing page", box=None, pad_edge=False)
    for given in credits_by_model:
        table.add_column(given.model, justify="right")
    for place, touch in enumerate(touches):
        cells = (
            f"{touch.occurred_at:%Y-%m-%d %H:%M}" if touch.occurred_at else "-",
            touch.channel,
            f"{touch.source} / {touch.medium}",
            touch.campaign or "-",
            touch.landing_page or "-",
        )
        # Text, not markup: a campaign may be named [red].
        table.add_row(*map(Text, cells), *(given.credits[place].amount for given in credits_by_model))
    page = StringIO()
    Console(file=page, width=WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"
