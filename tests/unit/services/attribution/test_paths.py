"""A file of paths: what is read, and which line is refused."""

import random
import secrets

import pytest

from services.attribution.paths import MOST_JOURNEYS, Path, Refused, read_paths

AB = [Path(("a", "b"), 3, 1250, 7)]


@pytest.mark.parametrize(
    ("text", "paths", "places"),
    [
        pytest.param("path;conversions;value;nulls\na > b;3;12.50;7\n", AB, 2, id="as it should be"),
        pytest.param("nulls;value;path;conversions\n7;12.50;a > b;3\n", AB, 2, id="columns in another order"),
        pytest.param("Path; Conversions ;VALUE;Nulls\n a  >b; 3 ; 12.50;7", AB, 2, id="capitals, spaces, no last end"),
        pytest.param("\ufeffpath;conversions;value;nulls\r\na > b;3;12.50;7\r\n", AB, 2, id="as Excel saves it"),
        pytest.param("path,conversions,value,nulls\na > b,3,12.50,7\n", AB, 2, id="commas"),
        pytest.param("path\tconversions\tvalue\tnulls\na > b\t3\t12.50\t7\n", AB, 2, id="tabs"),
        pytest.param('"path","conversions","value","nulls"\n"a > b",3e+00,12.5,7.0\n', [Path(("a", "b"), 3, 125, 7)], 1, id="as R and pandas write it"),
        pytest.param("path;conversions\na > b;3\n", [Path(("a", "b"), 3, 0, 0)], 0, id="neither value nor nulls"),
        pytest.param("path;conversions;value;nulls\na > b;3;;\n", [Path(("a", "b"), 3, 0, 0)], 0, id="empty value and nulls"),
        pytest.param("\n\npath;conversions\n\na;1\n\n", [Path(("a",), 1, 0, 0)], 0, id="empty lines"),
        pytest.param('path;conversions\n"Paid; ""Search"" > E mail";1\n', [Path(('Paid; "Search"', "E mail"), 1, 0, 0)], 0, id="quotes, spaces and the separator in channels"),
        pytest.param("path;conversions;value;nulls\nb;0;0;1\na > b;1;10;3\na>b;2;2.50;4\n", [*AB, Path(("b",), 0, 0, 1)], 2, id="a path in two rows, sorted"),
        pytest.param("path;conversions;value\na;1;0.1\nb;1;1e3\nc;1;.000001\n", [Path(("a",), 1, 100_000, 0), Path(("b",), 1, 10**9, 0), Path(("c",), 1, 1, 0)], 6, id="values of any precision"),
        pytest.param("path;conversions\n", [], 0, id="no journeys"),
    ],
)  # fmt: skip
def test_what_a_file_says(text: str, paths: list[Path], places: int) -> None:
    assert read_paths(text.encode()) == (paths, places)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "line 1: a header such as path;conversions;value;nulls is missing", id="empty"),
        pytest.param("a > b;3;12.50;7\n", "line 1: the column 'a > b' is none of path, conversions, value, nulls", id="no header"),
        pytest.param("path;conversions;vlaue\na;1;1\n", "line 1: the column 'vlaue' is none of", id="a misspelt column is not left out"),
        pytest.param("path;value\na;1\n", "line 1: the column 'conversions' is missing", id="a column missing"),
        pytest.param("path;conversions;path\na;1;b\n", "line 1: the column 'path' is there twice", id="a column twice"),
        pytest.param("path;conversions\na;1\n\nb;1;2\n", "line 4: the header has 2 columns, this row has 3", id="a cell too many"),
        pytest.param("path;conversions\na\n", "line 2: the header has 2 columns, this row has 1", id="a cell too few"),
        pytest.param("path;conversions\n ;1\n", "line 2: the path is empty; channels are joined by ' > '", id="no path"),
        pytest.param("path;conversions\na > ;1\n", "line 2: a channel is missing in the path 'a >'", id="the last channel missing"),
        pytest.param("path;conversions\na > > b;1\n", "line 2: a channel is missing in the path 'a > > b'", id="one between missing"),
        pytest.param("path;conversions\na;-1\n", "line 2: conversions is '-1', not a whole number from 0 on", id="negative"),
        pytest.param("path;conversions\na;0.5\n", "line 2: conversions is '0.5', not a whole", id="half a conversion"),
        pytest.param("path;conversions\na;1.25e1\n", "line 2: conversions is '1.25e1', not a whole", id="half a conversion in disguise"),
        pytest.param("path;conversions\na;\n", "line 2: conversions is '', not a whole", id="no conversions told"),
        pytest.param("path;conversions;nulls\na;1;one\n", "line 2: nulls is 'one', not a whole", id="a word"),
        pytest.param("path;conversions\na;٣\n", "line 2: conversions is '٣', not a whole", id="other digits"),
        pytest.param("path;conversions;value\na;1;-5\n", "line 2: value is '-5', not a decimal from 0 on", id="a negative value"),
        pytest.param("path;conversions;value\na;1;1.234,50\n", "line 2: value is '1.234,50', not a decimal", id="a decimal comma"),
        pytest.param("path;conversions;value\na;1;NaN\n", "line 2: value is 'NaN', not a decimal", id="not a number"),
        pytest.param("path;conversions;value\na;1;1e999999999\n", "line 2: value is '1e999999999', not a decimal", id="a number without end"),
        pytest.param("path;conversions;value\na;0;5\n", "line 2: value is '5', but there is no conversion", id="money from nothing"),
        pytest.param('path;conversions\n"a\nb";1\nc;x\n', "line 4: conversions is 'x'", id="after a cell of two lines"),
        pytest.param('path;conversions\na;1\n"b;1\n', "line 3: unexpected end of data", id="a quote that never ends"),
        pytest.param(f"path;conversions;nulls\na;1;{MOST_JOURNEYS}\n", "more than 1,000,000,000,000,000 journeys", id="more than can be counted"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text: str, told: str) -> None:
    with pytest.raises(Refused) as refused:
        read_paths(text.encode())
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_another_encoding_is_named_with_its_line() -> None:
    with pytest.raises(Refused, match="line 3: this is not UTF-8"):
        read_paths("path;conversions\na;1\nMüller;1\n".encode("latin-1"))


def test_neither_the_order_of_rows_nor_how_a_path_is_split_into_rows_matters() -> None:
    print(f"seed {(seed := secrets.randbelow(2**32))}")
    rng = random.Random(seed)
    journeys = [(" > ".join(rng.choices("abc", k=rng.randint(1, 4))), *rng.choice([(1, "9.99", 0), (0, "0", 1)])) for _ in range(200)]  # fmt: skip
    rows = [f"{path};{conversions};{value};{nulls}" for path, conversions, value, nulls in journeys]
    once = read_paths("\n".join(["path;conversions;value;nulls", *rows]).encode())
    rng.shuffle(rows)
    assert read_paths("\n".join(["path;conversions;value;nulls", *rows]).encode()) == once
    told = [f"{' > '.join(path.channels)};{path.conversions};{path.value / 100};{path.nulls}" for path in once.paths]
    assert read_paths("\n".join(["path;conversions;value;nulls", *told]).encode()) == once
