"""The page on which somebody keeps the visits of his own browser apart, at the collector's own address.

The dashboard has the same switch; it leads here where a cookie of its host would not reach the collector. Nobody needs
a key for it: a browser speaks for itself alone. Another site's page can neither press the button nor frame it.
"""

import base64
import hashlib
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from collector.refusal import Reason
from schemas.own_visits import is_set, set_cookie
from services.runtime.same_origin import is_same_origin

PATH: Final = "/v1/own-visits"

_STYLE = (
    ":root{color-scheme:light dark}button{font:inherit;padding:.5em 1em}"
    "body{max-width:34em;margin:15vh auto;padding:0 1.5em;font:16px/1.5 system-ui,sans-serif}"
)


def _page(on: int, state: str, button: str) -> str:
    """What a browser shows: how its visits are taken now, and the button that asks for `on` instead."""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your own visits · Closed Loop</title><style>{_STYLE}</style></head>
<body><main>
<h1>Your own visits</h1>
<p role="status">{state}</p>
<form method="post" action="{PATH}?on={on}"><button>{button}</button></form>
<p>This is about this browser alone. It keeps the choice as a cookie, for 13 months or until you clear its cookies.</p>
</main></body>
</html>
"""


_COUNTED = _page(1, "Visits with this browser <strong>are counted</strong> like anybody's.", "Keep my visits apart")
_APART = _page(
    0,
    "Visits with this browser <strong>are kept apart</strong>: they are in no report on visits, leads or money.",
    "Count my visits again",
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    # `no-referrer` would make browsers send `Origin: null` with our own form, which then passes for another site's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def own_visits() -> APIRouter:
    """The page, and what its button does."""
    router = APIRouter()

    @router.get(PATH)
    async def show(request: Request) -> HTMLResponse:
        """How visits with this browser are taken now."""
        apart = is_set(request.headers.get("cookie", "").encode("latin-1"))
        return HTMLResponse(_APART if apart else _COUNTED, headers=_HEADERS)

    @router.post(PATH)
    async def switch(request: Request) -> Response:
        """`?on=1` keeps them apart from now on, anything else counts them again."""
        if not is_same_origin(request.headers):
            refused = Reason.cross_site
            return JSONResponse({"code": refused.name, "message": refused.hint}, refused.status)
        cookie = set_cookie(on=request.query_params.get("on") == "1")
        return RedirectResponse(PATH, 303, headers=_HEADERS | {"Set-Cookie": cookie})

    return router
