"""`closedloop explain`, `explain-lead`, `receipts`: why a figure is what it is."""
# ruff: noqa: PLC0415 - a command imports what it needs when it runs, see services/cli.py

from typing import TYPE_CHECKING, Annotated

import typer

from services.local.asking import ask, fail
from services.runtime.settings import Settings

if TYPE_CHECKING:
    from services.reports.receipt_answers import Receipts
    from services.runtime.postgres import Database

why = typer.Typer()

LeadAddress = Annotated[
    str, typer.Argument(metavar="LEAD", help="a lead's id, or an identifier such as email:ann@example.org")
]
DealAddress = Annotated[str, typer.Argument(metavar="DEAL", help="provider:deal_id, or the deal id alone")]


@why.command()
def explain(
    deal: DealAddress,
    *,
    model: Annotated[str, typer.Option(help="the model whose split is shown")] = "linear",
    all_models: Annotated[bool, typer.Option("--all-models", help="what every model gives to each touch")] = False,
    as_of: Annotated[str | None, typer.Option(metavar="INSTANT", help="money and journey as they stood then")] = None,
    json: Annotated[bool, typer.Option("--json", help="as the API answers")] = False,
) -> None:
    """Say why a deal's money went where it went, and how it came to that."""
    from services.reports.explain import explain as run
    from services.reports.explain_page import explain_page
    from services.reports.questions import Refusal

    try:
        answer = ask(lambda database, settings: run(database, settings, deal, model, as_of, all_models=all_models))
    except Refusal as refusal:
        fail(str(refusal), 1)
    typer.echo(answer.model_dump_json(by_alias=True, indent=2) if json else explain_page(answer))


@why.command()
def receipts(  # noqa: PLR0913 - one option for each word of the question
    *,
    since: Annotated[str, typer.Option(metavar="INSTANT", help="RFC 3339, such as 2026-03-01T09:30:00Z")],
    until: Annotated[str | None, typer.Option(metavar="INSTANT", help="without it, now")] = None,
    model: Annotated[str, typer.Option(help="the model that the money is read under")] = "linear",
    by: Annotated[str, typer.Option(help="channel, source, campaign or another dimension of `revenue`")] = "channel",
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="first day of the deals' close")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="the day after the last one")] = None,
    currency: Annotated[str | None, typer.Option(help="without it that of most deals")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many corrections are shown")] = 20,
    json: Annotated[bool, typer.Option("--json", help="as the API answers")] = False,
) -> None:
    """Say what moved in the money between two instants, and why: it sums to the difference of the two reports."""
    from services.reports.questions import Refusal, question_of
    from services.reports.receipts import span_of
    from services.reports.receipts_page import receipts_page
    from services.reports.store import Store
    from services.runtime.rules import rules_of

    async def moved(database: "Database", settings: Settings) -> "Receipts":
        store = Store(database, rules_of(settings))
        question = question_of(
            model=model, by=by, since=first, until=last, currency=currency, models=await store.models()
        )
        return await store.receipts(question, span_of(since, until), limit)

    try:
        answer = ask(moved)
    except Refusal as refusal:
        fail(str(refusal), 1)
    typer.echo(answer.model_dump_json(by_alias=True, indent=2) if json else receipts_page(answer))


@why.command()
def explain_lead(lead: LeadAddress) -> None:
    """Say what makes a lead one person, what was refused, and why its visits are its own."""
    from services.reports.explain_lead import explain_lead as run
    from services.reports.questions import Refusal
    from services.runtime.clock import utc_now

    try:
        typer.echo(ask(lambda database, settings: run(database, settings, lead, utc_now())))
    except Refusal as refusal:
        fail(str(refusal), 1)
