"""Who reads which tables: reports and the attributor know identity by its two views alone."""

import re
from importlib import resources

import pglast
import pytest
from pglast.visitors import Visitor

from services.runtime.postgres import load_queries

PUBLISHED = {"lead_of", "touch"}
READERS = ["services.reports", "attributor"]


class Tables(Visitor):
    """The names of all relations that a statement reads or writes."""

    def __init__(self):
        self.names = set()

    def visit_RangeVar(self, _, node):  # noqa: N802 - pglast calls it by this name
        self.names.add(node.relname)


def tables_of(query):
    tables = Tables()
    tables(pglast.parse_sql(query))
    return tables.names


def made_by_identity():
    text = (resources.files("services.runtime.migrations") / "0002_identity.sql").read_text()
    return set(re.findall(r"CREATE (?:TABLE|VIEW) state\.(\w+)", text))


CASES = [pytest.param(query, id=f"{package}: {name}") for package in READERS for name, query in load_queries(package)]


def test_the_parser_sees_tables_wherever_they_stand():
    query = "WITH a AS (SELECT FROM hits) SELECT (SELECT 1 FROM state.pairs) FROM a, LATERAL (SELECT FROM visits) AS v"
    assert tables_of(query) >= {"hits", "pairs", "visits"}


def test_identity_makes_the_tables_and_publishes_the_views():
    made = made_by_identity()
    assert made >= PUBLISHED
    assert made - PUBLISHED >= {"identifiers", "pairs", "visitors", "hits", "carriers", "visits"}


@pytest.mark.parametrize("query", CASES)
def test_a_reader_names_no_table_of_identity(query):
    assert tables_of(query) & (made_by_identity() - PUBLISHED) == set()
