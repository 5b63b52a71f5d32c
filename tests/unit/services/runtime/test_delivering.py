from schemas.codec import encode
from services.runtime.delivering import decode_batch
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
