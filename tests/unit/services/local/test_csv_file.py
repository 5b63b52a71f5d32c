"""A CSV file as rows: however a spreadsheet has written it, or refused with the line to look at."""

import pytest

from services.local.csv_file import Row, UnreadableError, read_rows

COLUMNS = ("date", "source", "amount")


def read(text: str | bytes) -> list[Row]:
    return read_rows(text if isinstance(text, bytes) else text.encode(), COLUMNS, ("date", "amount"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("date;source;amount\n2026-03-01;ads;5\n", id="semicolons"),
        pytest.param("date,source,amount\n2026-03-01,ads,5\n", id="commas"),
        pytest.param(
            "date\tsource\tamount\r\n2026-03-01\tads\t5", id="tabs, lines of Windows, no end of line at the end"
        ),
        pytest.param("\ufeffdate;source;amount\n2026-03-01;ads;5\n", id="a byte order mark"),
        pytest.param('Amount ; DATE;"source"\n 5 ;2026-03-01;"ads"\n', id="other order and case, blanks, quotes"),
    ],
)
def test_a_file_may_be_written_in_many_ways(text: str) -> None:
    assert read(text) == [Row(2, {"date": "2026-03-01", "source": "ads", "amount": "5"})]


def test_a_row_has_the_line_on_which_it_begins_and_no_empty_cells() -> None:
    rows = read('\ndate,source,amount\n\nd1,"two\nlines",1\nd2,,2\nd3,x\n')
    assert [(row.line, row.cells) for row in rows] == [
        (4, {"date": "d1", "source": "two\nlines", "amount": "1"}),
        (6, {"date": "d2", "amount": "2"}),
        (7, {}),
    ]
    assert rows[-1].fault == "the header has 3 columns, this row has 2"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: a header such as date;source;amount is missing"),
        ("date;amount;cost\n", "line 1: the column 'cost' is none of date, source, amount"),
        ("date;amount;Date\n", "line 1: the column 'date' is there twice"),
        ("\ndate;source\n", "line 2: the column 'amount' is missing"),
        ("date;amount\n1;2\n\xe4".encode("latin-1"), "line 3: this is not UTF-8"),
        ('date;amount\n1;2\n3;"4\n', "line 3: unexpected end of data"),
    ],
)
def test_what_is_no_such_file_is_refused_with_the_line(text: str | bytes, complaint: str) -> None:
    with pytest.raises(UnreadableError, match=complaint):
        read(text)
