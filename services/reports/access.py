"""Who may read the reports: whoever shows the admin token, or the dashboard's session."""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from starlette.requests import Request

from services.reports.questions import Refusal
from services.reports.session import COOKIE, is_token, is_valid, issue


class Access:
    """The one gate. `now` is the clock that sessions expire by."""

    def __init__(self, admin_token: str, now: Callable[[], datetime]) -> None:
        self._admin_token = admin_token
        self._now = now

    def is_granted(self, request: Request) -> bool:
        scheme, _, offered = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return is_token(offered.strip(), self._admin_token)
        return is_valid(request.cookies.get(COOKIE), self._admin_token, self._now())

    def require(self, request: Request) -> None:
        """Raises Refusal for everybody else."""
        if not self.is_granted(request):
            raise Refusal(401, "unauthorized", "send the header `Authorization: Bearer <CLOSEDLOOP_ADMIN_TOKEN>`")

    def session_for(self, offered: str) -> str | None:
        """A new session's cookie for the admin token, None for anything else."""
        return issue(self._admin_token, self._now()) if is_token(offered, self._admin_token) else None


def require_same_origin(request: Request) -> None:
    """Raises Refusal when another site's page sent this form.

    Browsers say so by `Sec-Fetch-Site` on https and localhost, and by `Origin` everywhere; programs send neither.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise Refusal(403, "cross_site", "this form was sent by another site; open the dashboard and try again there")
