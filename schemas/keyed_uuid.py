"""UUIDs of hashes, of the class that asyncpg hands out in rows: made, compared and written in C.

The standard library's takes ten times as long to make and to write, and an event needs several.
"""

from uuid import UUID

from asyncpg.pgproto import pgproto


def uuid_of(digest: bytes) -> UUID:
    """The first 16 bytes of a hash, as what Postgres stores in 16 bytes and compares bytewise."""
    return pgproto.UUID(digest[:16])
