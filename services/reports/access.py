"""Who may read the reports: whoever shows the admin token, or the dashboard's session."""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request

from services.reports.questions import Refusal
from services.reports.session import COOKIE, is_token, is_valid, issue
from services.runtime.same_origin import is_same_origin


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
    """Raises Refusal when another site's page sent this form."""
    if not is_same_origin(request.headers):
        raise Refusal(403, "cross_site", "this form was sent by another site; open the dashboard and try again there")
