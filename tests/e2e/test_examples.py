"""The example payloads of `schemas/examples`, run through every service."""

from pathlib import Path

from schemas.examples import examples
from services.runtime.postgres import Database
from tests.conftest import make_settings
from tests.e2e.in_process import running_loop


async def test_every_example_goes_through_every_service(dsn: str, database: Database, tmp_path: Path) -> None:
    async with running_loop(make_settings(dsn, tmp_path)) as loop:
        await loop.post([list(examples().values())])
        await loop.settle()
        parts = await loop.digest_parts()

    assert await database.fetch("SELECT reason, detail FROM dead_letters") == []
    values = {row["value"] for row in await database.fetch("SELECT value FROM lead_of")}
    assert {"email:ann@example.org"} < values
    stages = await database.fetch("SELECT provider, deal_id, stage FROM deals ORDER BY 1, 2")
    credited = await database.fetch("SELECT provider, deal_id FROM entries WHERE superseded_at IS NULL ORDER BY 1, 2")
    won = [(row["provider"], row["deal_id"]) for row in stages if row["stage"] == "won"]
    assert won
    assert won == [(row["provider"], row["deal_id"]) for row in credited]
    assert len(set(parts.values())) == len(parts)
