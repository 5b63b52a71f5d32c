import pytest

from collector.consent import refuses_by_signal, settle_consent
from collector.refusal import RefusedError


@pytest.mark.parametrize(
    ("given", "signal", "analytics", "written"),
    [
        (None, False, True, None),
        ({}, False, True, None),
        ({"analytics": True, "marketing": True}, False, True, {"analytics": True, "marketing": True}),
        ({"analytics": False}, False, False, {"analytics": False}),
        ({"marketing": False}, False, True, {"marketing": False}),
        ({"analytics": None}, False, True, None),
        (None, True, False, {"analytics": False, "marketing": False}),
        ({"analytics": True}, True, True, {"analytics": True, "marketing": False}),
        ({"marketing": True}, True, False, {"analytics": False, "marketing": True}),
        ({"functional": True}, False, True, {"functional": True}),
    ],
)
def test_the_page_decides_and_where_it_is_silent_the_browser(given, signal, analytics, written):
    event = {} if given is None else {"consent": given}
    assert settle_consent(event, refused_by_signal=signal) is analytics
    assert event.get("consent") == written


@pytest.mark.parametrize("value", ["false", 0, 1, "", [], {}])
@pytest.mark.parametrize("purpose", ["analytics", "marketing"])
def test_consent_that_is_neither_yes_nor_no_is_refused(purpose, value):
    with pytest.raises(RefusedError) as caught:
        settle_consent({"consent": {purpose: value}}, refused_by_signal=False)
    assert caught.value.reason.name == "invalid_consent"


@pytest.mark.parametrize(
    ("headers", "honour_dnt", "refused"),
    [
        ({}, True, False),
        ({b"sec-gpc": b"1"}, False, True),
        ({b"sec-gpc": b"0"}, False, False),
        ({b"sec-gpc": b"true"}, False, False),
        ({b"dnt": b"1"}, False, False),
        ({b"dnt": b"1"}, True, True),
        ({b"dnt": b"0"}, True, False),
    ],
)
def test_only_a_signal_of_one_refuses(headers, honour_dnt, refused):
    assert refuses_by_signal(headers, honour_dnt=honour_dnt) is refused
