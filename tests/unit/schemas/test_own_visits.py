"""The cookie by which a browser's visits are kept apart."""

import pytest

from schemas.own_visits import is_set, set_cookie


@pytest.mark.parametrize(
    ("header", "apart"),
    [
        (b"", False),
        (b"closedloop_own_visits=apart", True),
        (b"closedloop_visitor=abc; closedloop_own_visits=apart", True),
        (b"closedloop_own_visits=apart;closedloop_visitor=abc", True),
        (b"closedloop_own_visits=", False),
        (b"closedloop_own_visits=apartment", False),
        (b"my_closedloop_own_visits=apart", False),
        (b"note=closedloop_own_visits=apart", False),
    ],
)
def test_a_browser_is_kept_apart_while_it_has_the_cookie(header: bytes, apart: bool) -> None:
    assert is_set(header) is apart


def test_what_is_set_is_read_and_what_is_taken_back_is_not() -> None:
    on, off = set_cookie(on=True), set_cookie(on=False)
    assert is_set(on.partition(";")[0].encode())
    assert not is_set(off.partition(";")[0].encode())
    assert "; Max-Age=0;" in off
    for cookie in (on, off):
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
