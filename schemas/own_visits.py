"""The cookie by which somebody keeps the visits of his own browser apart, at the collector's host.

Reports and the collector both set it, and the collector reads it. It is signed by nobody: a browser that has it speaks
for itself alone. It has no `Secure`, since it is no secret, and is to be the same cookie for a dashboard on http and a
collector on https of one host.
"""

import re
from typing import Final

NAME: Final = "closedloop_own_visits"

MAX_AGE: Final = 34_128_000
"""395 days, in seconds; browsers keep none longer than 400."""

_SET = re.compile(rb"(?:^|;)\s*closedloop_own_visits=apart\s*(?:;|$)")


def is_set(header: bytes) -> bool:
    """Whether a Cookie header says that this browser's visits are to be kept apart."""
    return b"closedloop_own_visits" in header and _SET.search(header) is not None


def set_cookie(*, on: bool) -> str:
    """The value of the Set-Cookie header that keeps a browser's visits apart from now on, or lets them count again."""
    value, age = ("apart", MAX_AGE) if on else ("", 0)
    return f"{NAME}={value}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax"
