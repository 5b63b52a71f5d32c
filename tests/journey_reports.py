"""The reports on a shop of chance, and what of it a plain reader of the log would count in a period."""

import os
from contextlib import asynccontextmanager
from fractions import Fraction
from zoneinfo import ZoneInfo

import httpx
import pytest

from schemas.money import decimal_text
from schemas.score import ScorePart, ScoreRules
from services.reports.app import create_app
from services.reports.store import Store
from services.runtime.postgres import connect
from services.runtime.rules import rules_of
from tests.builders import JANUARY
from tests.chance_shop import DAY, null_journeys
from tests.conftest import make_settings

SEED = int(os.environ.get("SEED", "5"))
BERLIN = ZoneInfo("Europe/Berlin")
NOW = JANUARY + 120 * DAY
PERIODS = [(None, None), ("2026-01-15", "2026-02-10"), ("2026-03-01", "2026-03-01")]
PLACES = {"channel": 0, "source": 1, "medium": 2, "campaign": 3}
SCORE = ScoreRules(
    threshold=30,
    parts={
        "forms": ScorePart(counts="form", points=20, at_most=40, half_life_days=20),
        "prices": ScorePart(counts="pageview", path="/prices", points=5, at_most=15),
        "visits": ScorePart(counts="visit", points=3, at_most=12),
    },
)


@asynccontextmanager
async def reports(dsn, tmp_path):
    settings = make_settings(dsn, tmp_path, score=SCORE, timezone="Europe/Berlin")
    async with connect(dsn, application="reports", read_only=True, scans=True) as database:
        app = create_app(Store(database, rules_of(settings)), [], settings, now=lambda: NOW)
        token = settings.admin_token.get_secret_value()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://reports", headers={"authorization": f"Bearer {token}"}
        ) as client:
            yield client


async def get(client, path, period=(None, None), **query):
    days = {name: day for name, day in zip(("from", "to"), period, strict=True) if day}
    answer = await client.get(f"/api/v1/{path}", params=days | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def within(moment, period):
    day = moment.astimezone(BERLIN).date().isoformat()
    return (period[0] is None or period[0] <= day) and (period[1] is None or day < period[1])


def key_of(touch, by):
    return touch.source[PLACES[by]] or "(not set)"


def euros(deal):
    """Cents of a deal by the rates that were told; None without a rate."""
    return {"EUR": deal.amount, "GBP": round(deal.amount * Fraction(5, 4))}.get(deal.currency)


def euro_text(cents):
    return decimal_text(cents, "EUR")


def won_in(truth, period):
    return [journey for journey in truth.won if within(journey.deal.closed_at, period)]


def lost_in(truth, period):
    return null_journeys(truth, [touch for touch in truth.touches if within(touch.occurred_at, period)])


def about(average, values):
    """What an answer rounds to two decimals; of nothing there is no average."""
    return pytest.approx(average(values), abs=0.006) if values else None
