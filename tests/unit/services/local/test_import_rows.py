"""Rows of a file as events: equal ones added up, wrong ones refused by line, nothing guessed."""

from typing import Any

import pytest

from schemas.csv_table import read_table
from services.local.import_rows import RATES, SPEND, Kind, Refused, prepare
from services.local.importing import batches

NOW = "2026-03-31T00:00:00.000000Z"


def prepared(kind: Kind, *lines: str) -> tuple[list[dict[str, Any]], list[Refused]]:
    """What becomes of these lines under a header of all columns, the first of them line 2."""
    text = "\n".join([";".join(kind.columns), *lines])
    ready, refused = prepare(kind, read_table(text.encode(), kind.columns, kind.needed), NOW)
    return [each.event for each in ready], refused


def test_a_row_is_an_event_at_the_time_of_the_import() -> None:
    events, refused = prepared(SPEND, "2026-03-01;Google;CPC;Spring;12.5;eur")
    assert events == [
        {
            "type": "spend", "occurred_at": NOW, "date": "2026-03-01", "source": "Google", "medium": "CPC",
            "campaign": "Spring", "amount": "12.50", "currency": "EUR",
        }
    ]  # fmt: skip
    assert refused == []
    assert prepared(RATES, "2026-03-01;usd;eur;0.9223")[0] == [
        {"type": "rate", "occurred_at": NOW, "date": "2026-03-01", "from": "USD", "to": "EUR", "rate": "0.9223"}
    ]


@pytest.mark.parametrize(
    ("lines", "amounts"),
    [
        pytest.param(["1;google;cpc;a;1.50;EUR", "1;google;cpc;a;2;EUR"], ["3.50"], id="equal ones"),
        pytest.param(["1;fb;cpc;a;1;EUR", "1;Facebook;CPC; a ;2;EUR"], ["3.00"], id="under two names of one source"),
        pytest.param(["1;google;;;1;EUR", "1;google;organic;;2;EUR"], ["3.00"], id="the medium that would follow"),
        pytest.param(["1;x;cpc;a;1;EUR", "1;x;cpc;A;2;EUR"], ["1.00", "2.00"], id="campaigns keep their case"),
        pytest.param(["1;x;cpc;a;1;EUR", "2;x;cpc;a;2;EUR"], ["1.00", "2.00"], id="other days"),
        pytest.param(["1;x;cpc;a;5;JPY", "1;x;cpc;a;6;JPY"], ["11"], id="in the currency's own units"),
        pytest.param(["1;x;cpc;a;1;EUR", "1;x;cpc;a;0;EUR"], ["1.00"], id="nothing adds nothing"),
    ],
)
def test_spend_of_one_day_and_source_is_added_up(lines: list[str], amounts: list[str]) -> None:
    events, refused = prepared(SPEND, *(f"2026-03-0{line}" for line in lines))
    assert ([event["amount"] for event in events], refused) == (amounts, [])


@pytest.mark.parametrize(
    ("kind", "line", "reason"),
    [
        (SPEND, "2026-03-32;google;cpc;a;1;EUR", "invalid_date"),
        (SPEND, ";google;cpc;a;1;EUR", "invalid_date"),
        (SPEND, "2026-03-01;google;cpc;a;1,50;EUR", "invalid_amount"),
        (SPEND, "2026-03-01;google;cpc;a;1.505;EUR", "invalid_amount"),
        (SPEND, "2026-03-01;google;cpc;a;-1;EUR", "invalid_amount"),
        (SPEND, "2026-03-01;google;cpc;a;;EUR", "invalid_amount"),
        (SPEND, "2026-03-01;google;cpc;a;1;", "invalid_currency"),
        (SPEND, "2026-03-01;google;cpc;a;1;Euro", "invalid_currency"),
        (SPEND, "2026-03-01;google;cpc;a;1", "invalid_row"),
        (RATES, "2026-03-01;USD;USD;1", "invalid_to"),
        (RATES, "2026-03-01;USD;EUR;0", "invalid_rate"),
        (RATES, "2026-03-01;US;EUR;1", "invalid_from"),
    ],
)
def test_a_wrong_row_is_refused_and_the_good_ones_are_not(kind: Kind, line: str, reason: str) -> None:
    good = "2026-03-01;GBP;EUR;1.15" if kind is RATES else "2026-03-01;bing;cpc;a;1;EUR"
    events, refused = prepared(kind, line, good)
    assert [(each.line, each.reason) for each in refused] == [(2, reason)]
    assert len(events) == 1


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (SPEND, "2026-03-01;google;cpc;a;1;EUR", "2026-03-01;google;cpc;a;1;USD"),
        (RATES, "2026-03-01;USD;EUR;0.92", "2026-03-01;usd;eur;0.93"),
    ],
)
def test_rows_that_contradict_each_other_are_refused_all(kind: Kind, one: str, other: str) -> None:
    events, refused = prepared(kind, one, one, other)
    assert events == []
    assert [each.line for each in refused] == [2, 3, 4]
    assert all(each.reason == "contradicting_rows" and "lines 2, 3, 4" in each.detail for each in refused)


def test_a_rate_that_is_there_twice_is_one() -> None:
    assert len(prepared(RATES, "2026-03-01;USD;EUR;0.92", "2026-03-01;USD;EUR;0.920")[0]) == 1


@pytest.mark.parametrize(
    ("count", "campaign", "sizes"), [(0, "a", []), (1001, "a", [500, 500, 1]), (40, "a" * 30_000, [13, 13, 13, 1])]
)
def test_a_request_holds_as_much_as_the_collector_takes(count: int, campaign: str, sizes: list[int]) -> None:
    lines = "".join(f"2026-03-01;s{number};cpc;{campaign};1;EUR\n" for number in range(count))
    rows = read_table((";".join(SPEND.columns) + "\n" + lines).encode(), SPEND.columns, SPEND.needed)
    ready, _ = prepare(SPEND, rows, NOW)
    sent = list(batches(ready))
    assert [len(batch) for batch in sent] == sizes
    assert [each for batch in sent for each in batch] == ready
