import json
import logging

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from services.runtime.logs import DESCRIPTION_CHARACTERS, JsonLines, describe


class Person(BaseModel):
    email: int


def validation_error():
    with pytest.raises(ValidationError) as caught:
        Person.model_validate({"email": "ann@x.example"})
    return caught.value


def unique_violation():
    fields = {
        "M": 'duplicate key "ann"',
        "D": "Key (value)=(email:ann@x.example) exists.",
        "n": "people_key",
        "S": "ERROR",
    }
    return asyncpg.PostgresError.new({"C": "23505", **fields})


DESCRIBED = [
    pytest.param(ValueError("no room"), "ValueError: no room", id="plain"),
    pytest.param(KeyError("ann@x.example"), "KeyError: …", id="quoted"),
    pytest.param(ValueError("cannot take ann@x.example now"), "ValueError: cannot take … now", id="an address"),
    pytest.param(ValueError("call +4930123456"), "ValueError: call +…", id="a number that may be a telephone's"),
    pytest.param(ValueError('says "Ann\nBell", then'), "ValueError: says …, then", id="quoted over lines"),
    pytest.param(validation_error(), "ValidationError: email: int_parsing", id="a field of a contract"),
    pytest.param(unique_violation(), "UniqueViolationError 23505: duplicate key … people_key", id="a row's values"),
]


@pytest.mark.parametrize(("error", "text"), DESCRIBED)
def test_an_error_is_described_without_the_values_it_repeats(error, text):
    assert describe(error) == text


def test_a_description_is_short():
    assert len(describe(ValueError("word " * 1000))) == DESCRIPTION_CHARACTERS


def test_a_line_is_one_json_object_with_what_was_given_by_name():
    record = logging.makeLogRecord(
        {"name": "a.b", "levelname": "INFO", "msg": "done %d\n", "args": (3,), "group": "identity"}
    )
    line = JsonLines("identity").format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("ts").endswith("+00:00")
    assert found == {
        "level": "info",
        "service": "identity",
        "logger": "a.b",
        "message": "done 3\n",
        "group": "identity",
    }


def test_an_error_is_logged_with_the_places_of_its_stack_and_no_values():
    with pytest.raises(ValueError, match="ann") as caught:
        int("ann@x.example")
    record = logging.makeLogRecord({"msg": "failed", "exc_info": caught._excinfo})
    line = JsonLines("identity").format(record)
    assert json.loads(line)["error"] == "ValueError: invalid literal for int() with base 10: …"
    assert "test_logs.py" in json.loads(line)["stack"][0]
    assert "ann@x.example" not in line


def test_a_value_of_a_megabyte_is_described_in_no_time_and_not_repeated():
    described = describe(ValueError("no number: '" + "a" * 1_000_000))
    assert described == "ValueError: no number: "
