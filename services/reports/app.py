"""The web application of reports: the API, the dashboard, and what holds for every answer."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.reports.access import Access
from services.reports.apart import ApartPage
from services.reports.api import Api
from services.reports.dashboard import Dashboard, page
from services.reports.journey_api import JourneyApi
from services.reports.questions import Refusal
from services.reports.store import Store
from services.runtime.clock import utc_now
from services.runtime.log import Log
from services.runtime.logs import describe
from services.runtime.postgres import is_conflict, is_outage
from services.runtime.requests import OTHER
from services.runtime.settings import Settings

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # `no-referrer` would make browsers send `Origin: null` with our own forms, which then pass for another site's.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

logger = logging.getLogger(__name__)


def create_app(store: Store, logs: Sequence[Log], settings: Settings, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """The application. `now` decides when sessions expire, which day is today and how far scores have faded."""
    access = Access(settings.admin_token.get_secret_value(), now)
    app = FastAPI(
        title="Closed Loop reports",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the interactive pages load scripts from elsewhere
        redoc_url=None,
    )
    app.include_router(Api(store, logs, access, settings, now).router())
    app.include_router(JourneyApi(store, access, settings.score, now).router())
    app.include_router(ApartPage(store, access, settings, now).router())
    app.include_router(Dashboard(store, logs, access, settings, now).router())
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_address)
    app.middleware("http")(_guarded)
    return app


def route_of(scope: Any) -> str:
    """The template of the address of a request that was answered, for counting: never what was typed in."""
    return str(getattr(scope.get("route"), "path", OTHER))


async def _guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Every answer with its headers; an outage is 503, and worth another try."""
    try:
        response = await answer(request)
    except Exception as error:
        if not (is_outage(error) or is_conflict(error)):
            raise
        logger.warning("Postgres does not answer", extra={"reason": describe(error), "path": request.url.path})
        message = "the database does not answer, or took too long; try again in a moment, or ask for a shorter period"
        response = _problem(request, 503, "unavailable", message)
        response.headers["retry-after"] = "5"
    response.headers.update(HEADERS)
    response.headers.setdefault("cache-control", "no-store")
    return response


def _problem(request: Request, status: int, code: str, message: str) -> Response:
    """JSON for programs, a page for people."""
    if request.url.path.startswith("/api/"):
        headers = {"www-authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"code": code, "message": message}, status, headers)
    return page("message.html", status=status, text=message)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _problem(request, error.status, error.code, str(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _problem(request, 422, "invalid_parameter", f"{first['loc'][-1]}: {first['msg']}")


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "method_not_allowed" if error.status_code == 405 else "not_found"
    return _problem(request, error.status_code, code, "the addresses are described at /api/v1/openapi.json")
