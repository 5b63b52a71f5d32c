import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.framing import frame, unframe

RECORDS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=200)), max_size=20)


@given(RECORDS, st.integers(0, 2**60))
def test_a_batch_comes_back_record_by_record_with_dense_offsets(records, first_offset):
    found = list(unframe(frame(records), first_offset))
    assert [(record.key, record.value) for record in found] == records
    assert [record.offset for record in found] == list(range(first_offset, first_offset + len(records)))


def test_the_frame_is_two_lengths_with_their_bytes():
    assert frame([(b"key", b"value")]) == b"\0\0\0\3key\0\0\0\5value"


@given(RECORDS.filter(bool), st.data())
def test_a_batch_that_is_cut_short_is_an_error_and_never_a_shorter_batch(records, data):
    whole = frame(records)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    boundaries = {len(frame(records[:count])) for count in range(len(records))}
    if len(cut) not in boundaries:
        with pytest.raises(ValueError, match="offset 7 is cut short"):
            list(unframe(cut, 7))
