import pytest

from collector.cookie import set_cookie, visitor_of


@pytest.mark.parametrize(
    ("header", "visitor"),
    [
        (b"", None),
        (b"closedloop_visitor=abc123", "abc123"),
        (b"a=b; closedloop_visitor=abc123; c=d", "abc123"),
        (b"a=b;closedloop_visitor=abc123", "abc123"),
        (b"closedloop_visitor=first; closedloop_visitor=second", "first"),
        (b"not_closedloop_visitor=abc", None),
        (b"x=closedloop_visitor=abc", None),
        (b"closedloop_visitor=", None),
        (b"closedloop_visitor=undefined", None),
        (b"closedloop_visitor=0000-0000", None),
        (b"closedloop_visitor=a b", None),
        (b'closedloop_visitor="abc"', None),
        (b"closedloop_visitor=\xff", None),
        (b"closedloop_visitor=" + b"a" * 128, "a" * 128),
        (b"closedloop_visitor=" + b"a" * 129, None),
    ],
)
def test_the_cookie_names_the_visitor_or_nobody(header, visitor):
    assert visitor_of(header) == visitor


def test_the_cookie_is_first_party_and_out_of_reach_of_scripts():
    plain = b"closedloop_visitor=abc; Max-Age=34128000; Path=/; HttpOnly; SameSite=Lax"
    assert set_cookie("abc", secure=False) == plain
    assert set_cookie("abc", secure=True) == plain + b"; Secure"
