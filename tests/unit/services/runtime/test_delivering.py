import pytest

from schemas.codec import encode
from services.runtime.dead_letters import DeadLetter
from services.runtime.delivering import aside_in_a_row, decode_batch
from services.runtime.leases import Place
from services.runtime.log import Record
from services.runtime.reading import Taken

EVENT = {
    "event_id": "e1",
    "type": "pageview",
    "occurred_at": "2026-03-01T09:30:00.000000Z",
    "received_at": "2026-03-01T09:30:00.000000Z",
    "visitor_id": "v1",
    "colour": "kept though nobody knows it",
}


def test_a_batch_is_sorted_into_what_can_be_read_and_letters_for_the_rest():
    place = Place("events", 3)
    values = [encode(EVENT), b"\xff", encode(EVENT | {"person": {"email": 5, "name": "ann@x.example"}}), encode(EVENT)]
    good, bad = decode_batch([Taken(place, Record(10 + i, b"k", value)) for i, value in enumerate(values)])
    assert [(delivery.topic, delivery.partition, delivery.offset) for delivery in good] == [
        ("events", 3, 10),
        ("events", 3, 13),
    ]
    assert good[0].body == EVENT
    assert good[0].event.visitor_id == "v1"
    assert [(letter.offset, letter.reason, letter.value) for letter in bad] == [
        (11, "invalid_json", values[1]),
        (12, "invalid_event", values[2]),
    ]
    assert "ann@x.example" not in bad[1].detail


ROWS = [
    pytest.param(0, "", (0, 0), id="nothing"),
    pytest.param(0, "gbbg", (2, 0), id="a row within"),
    pytest.param(0, "gbb", (2, 2), id="a row at the end goes on in the next batch"),
    pytest.param(3, "bbg", (5, 0), id="a row that began in the batch before"),
    pytest.param(3, "gb", (3, 1), id="a good one ends it"),
    pytest.param(3, "", (3, 3), id="no record changes nothing"),
]


@pytest.mark.parametrize(("before", "records", "rows"), ROWS)
def test_records_put_aside_in_a_row_are_counted_over_batches(before, records, rows):
    batch = [Taken(Place("events", 0), Record(offset, b"k", b"")) for offset in range(len(records))]
    bad = [DeadLetter("events", 0, offset, "r", "d", b"") for offset, what in enumerate(records) if what == "b"]
    assert aside_in_a_row(before, batch, bad) == rows
