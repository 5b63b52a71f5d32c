import asyncio
import sys

import asyncpg
import pytest

from services.runtime.log import Unavailable
from services.runtime.postgres import is_conflict, is_outage, load_queries


def postgres_error(sqlstate):
    return asyncpg.PostgresError.new({"C": sqlstate, "M": "message", "S": "ERROR"})


OUTAGES = [
    *[
        "08006",
        "08003",
        "25006",
        "25P03",
        "53100",
        "53200",
        "53300",
        "57014",
        "57P01",
        "57P02",
        "57P03",
        "58030",
        "XX001",
    ],
]
CONFLICTS = ["40001", "40P01", "55P03"]
FAULTS = ["22P02", "23505", "23514", "22021", "42601", "42P01", "28P01", "3D000", "XX000"]


@pytest.mark.parametrize("sqlstate", OUTAGES)
def test_postgres_that_is_away_or_full_is_an_outage(sqlstate):
    assert is_outage(postgres_error(sqlstate))
    assert not is_conflict(postgres_error(sqlstate))


@pytest.mark.parametrize("sqlstate", CONFLICTS)
def test_a_clash_of_transactions_is_a_conflict(sqlstate):
    assert is_conflict(postgres_error(sqlstate))
    assert not is_outage(postgres_error(sqlstate))


@pytest.mark.parametrize("sqlstate", FAULTS)
def test_a_fault_of_ours_or_of_the_data_is_neither(sqlstate):
    assert not is_outage(postgres_error(sqlstate))
    assert not is_conflict(postgres_error(sqlstate))


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        pytest.param(ConnectionRefusedError(), True, id="refused"),
        pytest.param(FileNotFoundError(), True, id="no socket"),
        pytest.param(TimeoutError(), True, id="timeout"),
        pytest.param(asyncpg.InterfaceError("connection is closed"), True, id="closed connection"),
        pytest.param(asyncpg.InterfaceError("pool is closing"), True, id="closing pool"),
        pytest.param(asyncpg.InterfaceError("another operation is in progress"), False, id="misuse"),
        pytest.param(asyncpg.DataError("invalid input for query argument $1"), False, id="a wrong argument"),
        pytest.param(asyncpg.TargetServerAttributeNotMatched("read-only"), True, id="demoted server"),
        pytest.param(ValueError(), False, id="a bug"),
        pytest.param(Unavailable(), False, id="another thing"),
        pytest.param(asyncio.CancelledError(), False, id="cancelled"),
    ],
)
def test_what_the_driver_raises_is_sorted_as_well(error, outage):
    assert is_outage(error) is outage


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes queries into a package, and gives its name."""
    folder = tmp_path / "some_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (folder / "queries.sql").write_text(text)
        monkeypatch.delitem(sys.modules, "some_package", raising=False)
        return "some_package"

    return write


def test_queries_are_attributes_by_the_names_in_their_file(package):
    queries = load_queries(package("-- A file.\n\n-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two\nSELECT 2;\n"))
    assert queries.one == "-- Why.\nSELECT 1;"
    assert dict(queries) == {"one": "-- Why.\nSELECT 1;", "two": "SELECT 2;"}


def test_a_query_that_is_not_there_is_named_with_its_file(package):
    with pytest.raises(AttributeError, match=r"some_package/queries.sql has no query 'three'"):
        _ = load_queries(package("-- name: one\nSELECT 1;")).three


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;", "two queries of one name: one", id="twice"),
        pytest.param("SELECT 1;\n-- name: one\nSELECT 2;", "before the first", id="nameless"),
    ],
)
def test_a_file_of_queries_that_is_not_clear_is_an_error(package, text, reason):
    with pytest.raises(ValueError, match=reason):
        load_queries(package(text))
