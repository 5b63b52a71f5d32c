"""The page on what is kept apart from people, with the switch for the visits of one's own browser."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from schemas.own_visits import is_set, set_cookie
from services.reports.access import Access, require_same_origin
from services.reports.dashboard import page
from services.reports.questions import last_days, question_of
from services.reports.store import Store
from services.runtime.settings import Settings

PATH: Final = "/kept-apart"
DAYS: Final = 30

WORDS: Final = {
    "own_visit": ("Own visits", "of browsers whose people switched it on"),
    "prefetch": ("Fetched in advance", "by a browser, before anybody looked"),
    "mail_scanner": ("Mail scanners", "that open the links and pictures of a mail"),
    "bot": ("Bots", "crawlers, previews of links, browsers without a screen"),
}
"""Each reason in people's words. One that is not here stands for itself."""


class ApartPage:
    """What was kept apart in the last days, and whether this browser is. `now` decides what today is."""

    def __init__(self, store: Store, access: Access, settings: Settings, now: Callable[[], datetime]) -> None:
        self._store = store
        self._access = access
        self._collector_url = settings.collector_url
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PATH, self.show, methods=["GET"], response_model=None)
        router.add_api_route("/own-visits", self.switch, methods=["POST"], response_model=None)
        return router

    async def show(self, request: Request) -> Response:
        if not self._access.is_granted(request):
            return RedirectResponse("/login", 303)
        since, until = last_days(DAYS, self._now().astimezone((await self._store.rules()).zone).date())
        counts = await self._store.kept_apart(question_of(since=since.isoformat(), until=until.isoformat()))
        return page(
            "kept_apart.html",
            days=DAYS,
            rows=[(*WORDS.get(row.reason, (row.reason, "")), row.events, row.visitors) for row in counts.rows],
            apart=is_set(request.headers.get("cookie", "").encode("latin-1")),
            reaches_collector=request.url.hostname == urlsplit(self._collector_url).hostname,
            collector_url=self._collector_url,
        )

    async def switch(self, request: Request) -> Response:
        """`?on=1` keeps this browser's visits apart from now on, anything else counts them again."""
        require_same_origin(request)
        if not self._access.is_granted(request):
            return RedirectResponse("/login", 303)
        cookie = set_cookie(on=request.query_params.get("on") == "1")
        return RedirectResponse(PATH, 303, headers={"set-cookie": cookie})
