"""The reports API over rows of the state that a test puts there, and how it is asked.

A module that asks makes two fixtures: `settings` of `berlin_settings`, and `client` of `asking`.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from schemas.visit import DIRECT
from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.open_log import open_log
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from services.runtime.settings import Settings
from tests.conftest import make_settings
from tests.state_rows import ADMIN_TOKEN, ID_KEY, MAIL, PAID, Visit

ANN, BOB = "email:ann@example.org", "email:bob@example.org"
FIRST = Visit("v1", "2026-03-01 10:00", PAID, ANN, "https://shop.example/?gclid=1", "https://www.Google.com/search?q=x")
SECOND = Visit("v1", "2026-03-05 10:00", MAIL, ANN, "https://shop.example/offer")
THIRD = Visit("v2", "2026-03-08 10:00", DIRECT, BOB)


def berlin_settings(dsn: str, tmp_path: Path) -> Settings:
    """Days are those of Berlin."""
    return make_settings(dsn, tmp_path, admin_token=ADMIN_TOKEN, id_key=ID_KEY, timezone="Europe/Berlin")


async def asking(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with the admin token, at the end of March 2026."""
    dsn = settings.database_url.get_secret_value()
    async with connect(dsn, application="reports", read_only=True) as reading, open_log(settings) as log:
        app = create_app(
            Store(reading, rules_of(settings)), [log], settings, now=lambda: datetime(2026, 3, 31, tzinfo=UTC)
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://reports",
            headers={"authorization": f"Bearer {ADMIN_TOKEN}"},
        ) as client:
            yield client


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refusal(client: httpx.AsyncClient, path: str, **query: Any) -> tuple[int, str]:
    """The status and the code."""
    answer = await client.get(f"/api/v1/{path}", params=query)
    assert set(answer.json()) == {"code", "message"}
    return answer.status_code, answer.json()["code"]
