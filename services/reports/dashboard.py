"""The dashboard: one page, its style sheet, and the way in and out. No script runs on it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import resources
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.reports.access import Access, require_same_origin
from services.reports.answers import Status
from services.reports.questions import DEFAULT_MODEL, Refusal, question_of
from services.reports.session import COOKIE, LIFETIME
from services.reports.standing import status_of
from services.reports.store import Store
from services.reports.view import freshness_of, switches_of, view_of, won_of
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)
NEWEST = 8
FORM_BYTES = 4096
ASSETS = {"style.css": "text/css", "mark.svg": "image/svg+xml"}

templates = Environment(
    loader=PackageLoader("services.reports", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page from its template, in which every value is escaped."""
    return HTMLResponse(templates.get_template(name).render(values), status)


class Dashboard:
    """The pages for people. `now` decides what today is."""

    def __init__(
        self, store: Store, logs: Sequence[Log], access: Access, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._logs = logs
        self._access = access
        self._settings = settings
        self._now = now

    def router(self) -> APIRouter:
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/", self.report, methods=["GET"], response_model=None)
        router.add_api_route("/login", self.login_form, methods=["GET"], response_model=None)
        router.add_api_route("/login", self.log_in, methods=["POST"], response_model=None)
        router.add_api_route("/logout", self.log_out, methods=["POST"], response_model=None)
        for name in ASSETS:
            router.add_api_route(f"/{name}", _asset(name), methods=["GET"], response_model=None)
        return router

    async def report(  # noqa: PLR0913, PLR0917 - one argument for each word of the address
        self,
        request: Request,
        model: str = DEFAULT_MODEL,
        by: str = "channel",
        since: Annotated[str | None, Query(alias="from")] = None,
        until: Annotated[str | None, Query(alias="to")] = None,
        currency: str | None = None,
    ) -> Response:
        """The whole dashboard for one question; the way to the login for everybody else."""
        if not self._access.is_granted(request):
            return RedirectResponse("/login", 303)
        models = await self._store.models()
        question = question_of(model=model, by=by, since=since, until=until, currency=currency, models=models)
        zone = (await self._store.rules()).zone
        status = await self._status()
        return page(
            "dashboard.html",
            view=view_of(question, await self._store.revenue(question)),
            newest=[won_of(row, zone) for row in await self._store.newest_won(question, NEWEST)],
            switches=switches_of(question, self._now().astimezone(zone).date(), models),
            freshness=freshness_of(status),
            dead_letters=status.dead_letters if status else 0,
            is_new=not await self._store.has_seen_anything(),
            collector_url=self._settings.collector_url,
            write_key=self._settings.write_key,
        )

    async def _status(self) -> Status | None:
        """None while the log does not answer: the figures do not wait for it."""
        try:
            return await status_of(self._store, self._logs)
        except OSError as error:
            logger.warning("the log does not answer", extra={"reason": describe(error)})
            return None

    async def login_form(self, request: Request) -> Response:
        return RedirectResponse("/", 303) if self._access.is_granted(request) else page("login.html", failed=False)

    async def log_in(self, request: Request) -> Response:
        """A session for whoever sends the admin token."""
        require_same_origin(request)
        session = self._access.session_for(await _form_value(request, "token"))
        if session is None:
            return page("login.html", status=401, failed=True)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE,
            session,
            max_age=int(LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response

    async def log_out(self, request: Request) -> Response:
        require_same_origin(request)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return response


async def _form_value(request: Request, name: str) -> str:
    """One field of a short form, trimmed; empty when it is missing. Raises Refusal for a form that is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise Refusal(413, "form_too_long", f"a login form has {FORM_BYTES} bytes at most")
    return parse_qs(body.decode("latin-1")).get(name, [""])[0].strip()


def _asset(name: str) -> Callable[[], Response]:
    content = (resources.files("services.reports.pages") / name).read_bytes()

    def serve() -> Response:
        return Response(content, media_type=ASSETS[name], headers={"cache-control": "no-cache"})

    return serve
