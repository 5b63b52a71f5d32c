"""The addresses of the reports on whole journeys: who comes how far, by which paths and pages, how fast, who sells."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from schemas.score import ScoreRules
from services.reports.access import Access
from services.reports.answers import Problem
from services.reports.api import From, To
from services.reports.funnel import COHORTS
from services.reports.journey_answers import Content, Funnel, Owners, Paths, TimeToPurchase
from services.reports.journeys import TOUCH_KEYS
from services.reports.questions import DEFAULT_MODEL, LARGEST_LIST, one_of, question_of
from services.reports.store import Store

FORMATS = ("json", "csv")

Limit = Annotated[int, Query(ge=1, le=LARGEST_LIST, description="rows")]


class JourneyApi:
    """More addresses under /api/v1, all behind `access`. `now` is when scores are read."""

    def __init__(self, store: Store, access: Access, score: ScoreRules, now: Callable[[], datetime]) -> None:
        self._store = store
        self._access = access
        self._score = score
        self._now = now

    def router(self) -> APIRouter:
        problems: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (400, 401, 422, 503)}
        router = APIRouter(prefix="/api/v1", dependencies=[Depends(self._access.require)], responses=problems)
        router.add_api_route("/funnel", self.funnel, methods=["GET"])
        router.add_api_route("/paths", self.paths, methods=["GET"], response_model=Paths)
        router.add_api_route("/time-to-purchase", self.time_to_purchase, methods=["GET"])
        router.add_api_route("/content", self.content, methods=["GET"])
        router.add_api_route("/owners", self.owners, methods=["GET"])
        return router

    async def funnel(self, since: From = None, until: To = None, by: str = "channel", cohort: str = "month") -> Funnel:
        """How far the visitors have come whose first visit fell in the period: by that visit, and by when it was."""
        question = question_of(since=since, until=until, by=_touch_key(by))
        one_of(cohort, COHORTS, "cohort", "cohort")
        zone = (await self._store.rules()).zone
        return await self._store.journeys.funnel(question, zone, cohort, self._score, self._now())

    async def paths(  # noqa: PLR0913, PLR0917 - one argument for each word of the address
        self,
        since: From = None,
        until: To = None,
        by: str = "channel",
        collapse: Annotated[bool, Query(description="leave out a touch that follows its like")] = False,
        limit: Limit = 20,
        currency: str | None = None,
        answer_as: Annotated[
            str, Query(alias="format", description="`csv`: every path, as `closedloop attribute` reads them")
        ] = "json",
    ) -> Paths | Response:
        """The paths that the deals won in the period took, how long they were, and who took them and won nothing."""
        question = question_of(since=since, until=until, by=_touch_key(by), currency=currency)
        zone = (await self._store.rules()).zone
        if one_of(answer_as, FORMATS, "format", "format") == "csv":
            text = await self._store.journeys.paths_csv(question, zone, collapse=collapse)
            return Response(
                text, headers={"content-disposition": "attachment; filename=paths.csv"}, media_type="text/csv"
            )
        return await self._store.journeys.paths(question, zone, limit, collapse=collapse)

    async def time_to_purchase(self, since: From = None, until: To = None, by: str = "source") -> TimeToPurchase:
        """How long it took the deals won in the period from their first touch on, by that touch."""
        question = question_of(since=since, until=until, by=_touch_key(by))
        return await self._store.journeys.time_to_purchase(question, (await self._store.rules()).zone)

    async def content(
        self, since: From = None, until: To = None, currency: str | None = None, limit: Limit = 100
    ) -> Content:
        """Pages and downloads in the journeys that won, and how much likelier winning was with them than without."""
        question = question_of(since=since, until=until, currency=currency)
        return await self._store.journeys.content(question, (await self._store.rules()).zone, limit)

    async def owners(
        self, since: From = None, until: To = None, model: str = DEFAULT_MODEL, currency: str | None = None
    ) -> Owners:
        """Leads, deals, money, speed and sources by sales representative."""
        models = await self._store.models()
        question = question_of(since=since, until=until, model=model, currency=currency, models=models)
        return await self._store.journeys.owners(question, (await self._store.rules()).zone)


def _touch_key(by: str) -> str:
    return one_of(by, TOUCH_KEYS, "dimension", "by")
