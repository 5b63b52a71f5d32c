"""The JSON Schemas beside the models say what the models say."""

import json
from typing import Any

import pytest

from schemas.json_schema import CONTRACTS, FOLDER, schema_of
from tests.builders import at, contact, deal, form


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_schema_is_current(name: str) -> None:
    stored = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert stored == schema_of(CONTRACTS[name]), "run `python -m schemas.json_schema` and commit what it changed"


def test_every_schema_belongs_to_a_contract() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(CONTRACTS)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("event", form("v", "e", at(), "ann@x.org")),
        ("deal_event", deal("7", "e", at(), contacts=[{"email": "ann@x.org"}])),
        ("contact_event", contact("e", at(), "9", "ann@x.org")),
    ],
)
def test_what_a_schema_asks_for_is_what_an_event_must_have(name: str, payload: dict[str, Any]) -> None:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert payload.keys() <= schema["properties"].keys()
    assert set(schema["required"]) <= payload.keys()
    assert schema["properties"]["occurred_at"]["format"] == "date-time"
