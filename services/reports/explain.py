"""`closedloop explain DEAL`: why a deal's money went where it went."""

from services.reports.explain_answers import DealExplanation
from services.reports.questions import question_of
from services.reports.store import Store
from services.runtime.postgres import Database
from services.runtime.rules import rules_of
from services.runtime.settings import Settings


async def explain(  # noqa: PLR0913 - one argument for each word of the command
    database: Database, settings: Settings, address: str, model: str, as_of: str | None, *, all_models: bool
) -> DealExplanation:
    """The deal at `provider:deal_id` or at its bare id.

    Raises Refusal when there is no such deal, the bare id is that of several, or there is no such model or instant.
    """
    store = Store(database, rules_of(settings))
    question = question_of(model=model, as_of=as_of, models=await store.models())
    return await store.explain(address, question, all_models=all_models)
