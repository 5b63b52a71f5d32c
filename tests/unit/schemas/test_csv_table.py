"""A CSV file as rows: however a spreadsheet has written it, or refused with the line to look at."""

import pytest

from schemas.csv_table import Row, UnreadableError, read_table

COLUMNS = ("date", "source", "amount")


def read(text: str | bytes) -> list[Row]:
    return list(read_table(text if isinstance(text, bytes) else text.encode(), COLUMNS, ("date", "amount")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("date;source;amount\n2026-03-01;ads;5\n", id="semicolons"),
        pytest.param("date,source,amount\n2026-03-01,ads,5\n", id="commas"),
        pytest.param(
            "date\tsource\tamount\r\n2026-03-01\tads\t5", id="tabs, lines of Windows, no end of line at the end"
        ),
        pytest.param("date,source,amount\r2026-03-01,ads,5\r", id="lines of an old Macintosh"),
        pytest.param("date;source;amount\n2026-03-01;ads;5\n;;\n ; ;\n\n", id="rows without anything in them"),
        pytest.param("\ufeffdate;source;amount\n2026-03-01;ads;5\n", id="a byte order mark"),
        pytest.param('Amount ; DATE;"source"\n 5 ;2026-03-01;"ads"\n', id="other order and case, blanks, quotes"),
    ],
)
def test_a_file_may_be_written_in_many_ways(text: str) -> None:
    assert read(text) == [Row(2, {"date": "2026-03-01", "source": "ads", "amount": "5"})]


def test_a_row_has_the_line_on_which_it_begins_and_no_empty_cells() -> None:
    rows = read('\n,,\ndate,source,amount\n\nd1,"two\nlines",1\nd2,,2\nd3,x\n')
    assert [(row.line, row.cells) for row in rows] == [
        (5, {"date": "d1", "source": "two\nlines", "amount": "1"}),
        (7, {"date": "d2", "amount": "2"}),
        (8, {}),
    ]
    assert rows[-1].fault == "the header has 3 columns, this row has 2"


def test_only_the_header_says_what_parts_the_columns() -> None:
    assert read("date,source,amount\rd1,a;b\tc,1\r") == [Row(2, {"date": "d1", "source": "a;b\tc", "amount": "1"})]


def test_a_cell_may_be_as_long_as_it_likes() -> None:
    (row,) = read(f"date;source;amount\nd1;{'x' * 200_000};1\n")
    assert len(row.cells["source"]) == 200_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: a header such as date;source;amount is missing"),
        ("date;amount;cost\n", "line 1: the column 'cost' is none of date, source, amount"),
        ("date;amount;Date\n", "line 1: the column 'date' is there twice"),
        ("\ndate;source\n", "line 2: the column 'amount' is missing"),
        ("date;amount\n1;2\n\xe4".encode("latin-1"), "line 3: this is not UTF-8"),
        ("date;amount\r1;2\r\xe4".encode("latin-1"), "line 3: this is not UTF-8"),
        ('date;amount\n1;2\n3;"4\n', "line 3: unexpected end of data"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_line(text: str | bytes, complaint: str) -> None:
    with pytest.raises(UnreadableError, match=complaint):
        read(text)
