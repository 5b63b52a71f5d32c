"""The collector's addresses: events straight to the hot path, everything else through FastAPI."""

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from collector.body import Receive
from collector.ingest import Ingest, Send
from collector.own_visits import PATH, own_visits
from collector.refusal import Reason
from services.runtime.health import Health
from services.runtime.requests import OTHER

GPC = "/.well-known/gpc.json"

ROUTES = frozenset({"/v1/events", "/v1/crm/webhook", PATH, "/loop.js", GPC, "/healthz", "/readyz"})
"""All addresses, as their requests are counted."""

App = Callable[[Any, Receive, Send], Awaitable[None]]

TRACKER_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",  # for pages that load it with crossorigin and a checksum
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}

GPC_SUPPORT = {"gpc": True, "lastUpdate": "2026-11-22"}
"""That `Sec-GPC` is honoured here, and since when this says so (W3C, Global Privacy Control, section 5)."""


class Tracker(NamedTuple):
    """loop.js as it is served."""

    script: bytes
    packed: bytes
    etag: str


def load_tracker() -> Tracker:
    script = files("collector.tracker").joinpath("loop.js").read_bytes()
    return Tracker(script, gzip.compress(script, mtime=0), f'"{hashlib.sha256(script).hexdigest()[:16]}"')


def make_app(ingest: Ingest, health: Health) -> App:
    """The ASGI application. Its documentation stays off this listener, which is open to everyone."""
    pages = _pages(health)

    async def app(scope: Any, receive: Receive, send: Send) -> None:
        match scope["type"], scope["path"]:
            case "http", "/v1/events":
                await ingest.events(scope, receive, send)
            case "http", "/v1/crm/webhook":
                await ingest.webhook(scope, receive, send)
            case _:
                await pages(scope, receive, send)

    return app


def route_of(scope: Any) -> str:
    """The address of a request, for counting."""
    path: str = scope["path"]
    return path if path in ROUTES else OTHER


def _pages(health: Health) -> FastAPI:
    pages = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages.include_router(own_visits())
    tracker = load_tracker()

    @pages.api_route("/loop.js", methods=["GET", "HEAD"])
    async def loop_js(request: Request) -> Response:
        headers = TRACKER_HEADERS | {"ETag": tracker.etag}
        if request.headers.get("if-none-match", "").removeprefix("W/") == tracker.etag:
            return Response(status_code=304, headers=headers)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        content = tracker.packed if packed else tracker.script
        encoding = {"Content-Encoding": "gzip"} if packed else {}
        return Response(content, headers=headers | encoding, media_type="text/javascript")

    @pages.api_route(GPC, methods=["GET", "HEAD"])
    async def gpc() -> JSONResponse:
        return JSONResponse(GPC_SUPPORT, headers={"Cache-Control": "public, max-age=86400"})

    @pages.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> JSONResponse:
        return JSONResponse({"alive": health.alive}, 200 if health.alive else 503)

    @pages.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> JSONResponse:
        return JSONResponse(health.report(), 200 if health.ready else 503)

    @pages.exception_handler(HTTPException)
    async def refuse(_request: Request, error: HTTPException) -> JSONResponse:
        reason = Reason.method_not_allowed if error.status_code == 405 else Reason.not_found
        body = {"code": reason.name, "message": reason.hint}
        return JSONResponse(body, error.status_code, headers=error.headers)

    return pages
