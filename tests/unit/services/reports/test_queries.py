"""Who reads which tables: reports and the attributor know identity by its views alone."""

import re
from importlib import resources

import pglast
import pytest
from pglast.visitors import Visitor

from services.runtime.postgres import load_queries

IDENTITYS = [
    "0002_identity.sql",
    "0007_people.sql",
    "0008_leads.sql",
    "0009_numbers.sql",
    "0010_hit_keys.sql",
    "0011_models.sql",
    "0012_money.sql",
    "0013_reports.sql",
]
READERS = [
    ("services.reports", "queries.sql"),
    ("services.reports", "leads.sql"),
    ("services.reports", "ledger.sql"),
    ("services.reports", "journeys.sql"),
    ("services.reports", "funnel.sql"),
    ("services.reports", "owners.sql"),
    ("services.reports", "watch.sql"),
    ("attributor", "queries.sql"),
]


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


def made_by_identity(kind):
    texts = [(resources.files("services.runtime.migrations") / name).read_text() for name in IDENTITYS]
    return {name for text in texts for name in re.findall(rf"CREATE (?:OR REPLACE )?{kind} state\.(\w+)", text)}


CASES = [
    pytest.param(query, id=f"{package} {file}: {name}")
    for package, file in READERS
    for name, query in load_queries(package, file)
]


def test_the_parser_sees_tables_wherever_they_stand():
    query = "WITH a AS (SELECT FROM hits) SELECT (SELECT 1 FROM state.pairs) FROM a, LATERAL (SELECT FROM visits) AS v"
    assert tables_of(query) >= {"hits", "pairs", "visits"}


def test_identity_keeps_its_tables_and_publishes_views():
    assert made_by_identity("TABLE") >= {"identifiers", "pairs", "visitors", "hits", "carriers", "visits", "statements"}
    assert made_by_identity("VIEW") >= {
        "lead_of",
        "touch",
        "visit",
        "hit",
        "said",
        "carried",
        "joined",
        "parted",
        "spend",
        "rate",
        "step",
        "null_touch",
    }


@pytest.mark.parametrize("query", CASES)
def test_a_reader_names_no_table_of_identity(query):
    assert tables_of(query) & made_by_identity("TABLE") == set()
