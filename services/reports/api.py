"""The reports API: reads the words of an address, asks the store, answers JSON."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from schemas.credit import PERIOD_MODELS
from schemas.identifier import identifier_id
from schemas.score import ScoreRules
from services.reports.access import Access
from services.reports.answers import DealCredits, DealDetail, Deals, KeptApart, Problem, Revenue, Status
from services.reports.explain_answers import DealExplanation
from services.reports.lead_answers import Journey, Lead, Leads
from services.reports.leads import journey_of, lead_of
from services.reports.questions import DEFAULT_MODEL, LARGEST_LIST, STAGES, Refusal, email_of, one_of, question_of
from services.reports.receipt_answers import Receipts
from services.reports.receipts import RECEIPTS_SHOWN, span_of
from services.reports.standing import status_of
from services.reports.store import Store
from services.reports.timeline import PAGE, place_of
from services.runtime.log import Log
from services.runtime.settings import Settings

From = Annotated[str | None, Query(alias="from", description="first day, as 2026-03-01, in the rules' time zone")]
To = Annotated[str | None, Query(alias="to", description="the day after the last one")]
AsOf = Annotated[str | None, Query(description="RFC 3339: money as it stood then")]


class Api:
    """The addresses under /api/v1, all behind `access`. `now` is when a score is read."""

    def __init__(
        self, store: Store, logs: Sequence[Log], access: Access, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._logs = logs
        self._access = access
        self._id_key = settings.id_key.get_secret_value()
        self._score: ScoreRules = settings.score
        self._now = now

    def router(self) -> APIRouter:
        problems: dict[int | str, dict[str, Any]] = {
            code: {"model": Problem} for code in (400, 401, 404, 409, 422, 503)
        }
        router = APIRouter(prefix="/api/v1", dependencies=[Depends(self._access.require)], responses=problems)
        for path, answer in (
            ("/revenue", self.revenue),
            ("/receipts", self.receipts),
            ("/deals", self.deals),
            ("/deals/{address:path}/credits", self.credits),
            ("/deals/{address:path}/explain", self.explain),
            ("/deals/{address:path}", self.deal),
            ("/leads", self.leads),
            ("/leads/{identifier}", self.lead),
            ("/leads/{identifier}/journey", self.journey),
            ("/kept-apart", self.kept_apart),
            ("/status", self.status),
        ):
            router.add_api_route(path, answer, methods=["GET"])
        return router

    async def revenue(  # noqa: PLR0913, PLR0917 - one argument for each word of the address
        self,
        model: str = DEFAULT_MODEL,
        by: str = "channel",
        since: From = None,
        until: To = None,
        currency: str | None = None,
        as_of: AsOf = None,
        *,
        intervals: Annotated[bool, Query(description="between what amounts of `markov` and `shapley` lie")] = False,
    ) -> Revenue:
        """Money won in the period by what earned it, and what that cost.

        Currencies are never added up: others are converted by imported rates, those without a rate are named.
        `markov` and `shapley` look at all journeys of the period, and answer by channel alone.
        """
        models = (*await self._store.models(), *PERIOD_MODELS)
        question = question_of(
            model=model, by=by, since=since, until=until, currency=currency, as_of=as_of, models=models
        )
        return await self._store.revenue(question, with_intervals=intervals)

    async def receipts(  # noqa: PLR0913, PLR0917 - one argument for each word of the address
        self,
        begin: Annotated[str | None, Query(alias="since", description="RFC 3339: the report as it stood then")] = None,
        end: Annotated[str | None, Query(alias="until", description="RFC 3339; without it now")] = None,
        model: str = DEFAULT_MODEL,
        by: str = "channel",
        since: From = None,
        until: To = None,
        currency: str | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_LIST, description="corrections")] = RECEIPTS_SHOWN,
    ) -> Receipts:
        """What moved in `revenue` between two instants, by cause, key and deal: it sums to the difference of both."""
        models = await self._store.models()
        question = question_of(model=model, by=by, since=since, until=until, currency=currency, models=models)
        return await self._store.receipts(question, span_of(begin, end), limit)

    async def deals(
        self,
        since: From = None,
        until: To = None,
        stage: str | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_LIST)] = 100,
    ) -> Deals:
        """Deals that closed in the period, the newest first, open ones last."""
        if stage is not None:
            one_of(stage, STAGES, "stage", "stage")
        return Deals(deals=await self._store.deals(question_of(since=since, until=until), stage, limit))

    async def deal(self, address: str) -> DealDetail:
        """One deal, by `provider:deal_id` or by its bare id while that is unique."""
        return await self._store.deal(address)

    async def credits(self, address: str, model: str = DEFAULT_MODEL, as_of: AsOf = None) -> DealCredits:
        """The touches that earned a deal, in the order of its journey. Their amounts sum to the deal's."""
        models = await self._store.models()
        return await self._store.credits(address, question_of(model=model, as_of=as_of, models=models))

    async def explain(
        self, address: str, model: str = DEFAULT_MODEL, as_of: AsOf = None, *, all_models: bool = False
    ) -> DealExplanation:
        """Why a deal's money went where it went: leads, window, touches, exact shares, rounding, corrections."""
        question = question_of(model=model, as_of=as_of, models=await self._store.models())
        return await self._store.explain(address, question, all_models=all_models)

    async def leads(self, email: str | None = None) -> Leads:
        """The lead of an e-mail address."""
        facts = await self._store.leads.facts(identifier_id(email_of(email), self._id_key))
        return Leads(leads=[] if facts is None else [lead_of(facts, self._score, self._now())])

    async def lead(self, identifier: str) -> Lead:
        """The lead that holds this id now: any id that it, or a lead merged into it, ever had."""
        facts = await self._store.leads.facts(_uuid(identifier))
        if facts is None:
            raise _no_lead(identifier)
        return lead_of(facts, self._score, self._now())

    async def journey(
        self,
        identifier: str,
        limit: Annotated[int, Query(ge=1, le=LARGEST_LIST, description="entries of the timeline")] = PAGE,
        before: Annotated[str | None, Query(description="the answer's `before`, for the page before it")] = None,
    ) -> Journey:
        """A lead's touches and deals, and its whole history in pages, the last page first; all in the order of time."""
        found = await self._store.leads.history(_uuid(identifier), place_of(before), limit)
        if found is None:
            raise _no_lead(identifier)
        return journey_of(*found, limit, lead_of(found[0], self._score, self._now()))

    async def kept_apart(self, since: From = None, until: To = None) -> KeptApart:
        """Events of bots, mail scanners, prefetches and own visits: by reason, in no other answer."""
        return await self._store.kept_apart(question_of(since=since, until=until))

    async def status(self) -> Status:
        """Whether everything that was in the log when the call came has had all its effects."""
        return await status_of(self._store, self._logs)


def _uuid(identifier: str) -> UUID:
    try:
        return UUID(identifier)
    except ValueError as error:
        raise _no_lead(identifier) from error


def _no_lead(identifier: str) -> Refusal:
    hint = "find its id at /api/v1/leads?email=ann@example.org"
    return Refusal(404, "lead_not_found", f"there is no lead {identifier!r}; {hint}")
