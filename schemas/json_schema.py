"""The contracts as JSON Schema (2020-12), for programs that are not ours: `python -m schemas.json_schema` writes them.

The files in `schemas/json/` are generated from the models and kept beside them, so that a change of a contract shows in
review as a change of its schema.
"""

import inspect
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.codec import VERSION
from schemas.credit import Credits
from schemas.deal import ContactEvent, Deal, DealEvent
from schemas.event import Event
from schemas.lead import Lead
from schemas.spend import RateEvent, SpendEvent
from schemas.statement import TouchEvent, UnlinkEvent
from schemas.visit import Touch

FOLDER = Path(__file__).parent / "json"


class LogValue(BaseModel):
    """What a record of the log holds."""

    v: Literal[VERSION]  # type: ignore[valid-type]  # the schema shall show the number that the codec checks
    event: DealEvent | ContactEvent | TouchEvent | UnlinkEvent | SpendEvent | RateEvent | Event


CONTRACTS: dict[str, Any] = {
    "log_value": LogValue,
    "event": Event,
    "deal_event": DealEvent,
    "contact_event": ContactEvent,
    "touch_event": TouchEvent,
    "unlink_event": UnlinkEvent,
    "spend_event": SpendEvent,
    "rate_event": RateEvent,
    "deal": Deal,
    "lead": Lead,
    "touch": Touch,
    "credits": Credits,
}
"""By the name of the file."""


class _Objects(GenerateJsonSchema):
    """A named tuple is an object too, as it is wherever its fields have names."""

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> JsonSchemaValue:
        by_place = super().named_tuple_schema(schema)
        names = [field["name"] for field in schema["fields"]]
        return {
            "type": "object",
            "title": schema["cls"].__name__,
            "description": inspect.getdoc(schema["cls"]),
            "properties": dict(zip(names, by_place["prefixItems"], strict=True)),
            "required": names[: by_place["minItems"]],
        }


def schema_of(contract: Any) -> str:
    """The schema of one contract as the file has it: sorted, so that only real changes show."""
    schema = TypeAdapter(contract).json_schema(schema_generator=_Objects)
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2, sort_keys=True)
        + "\n"
    )


def write(folder: Path = FOLDER) -> None:
    """Write all schemas into the folder."""
    for name, contract in CONTRACTS.items():
        (folder / f"{name}.json").write_text(schema_of(contract), encoding="utf-8")


if __name__ == "__main__":
    write()
