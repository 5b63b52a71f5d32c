"""The bytes of a batch in the embedded log: of each record its key, then its value, each after its length in 4 bytes.

Lengths are big-endian.
"""

import struct
from collections.abc import Iterator, Sequence

from services.runtime.log import Record

_LENGTH = struct.Struct(">I")


def frame(records: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The records of a batch as they are stored."""
    pack = _LENGTH.pack
    return b"".join([part for key, value in records for part in (pack(len(key)), key, pack(len(value)), value)])


def unframe(batch: bytes, first_offset: int) -> Iterator[Record]:
    """The records of a stored batch. Raises ValueError when the bytes are no batch."""
    unpack, at, end, offset = _LENGTH.unpack_from, 0, len(batch), first_offset
    try:
        while at < end:
            key_at = at + 4
            value_at = key_at + unpack(batch, at)[0] + 4
            at = value_at + unpack(batch, value_at - 4)[0]
            yield Record(offset, batch[key_at : value_at - 4], batch[value_at:at])
            offset += 1
    except struct.error:
        at = -1
    if at != end:
        raise ValueError(f"the batch at offset {first_offset} is cut short")
