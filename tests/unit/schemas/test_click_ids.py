"""Click ids: whose they are, what they prove, and how a url loses them when consent is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.click_ids import CLICK_IDS, strip_click_ids


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://shop.example/?gclid=x", "https://shop.example/"),
        ("https://shop.example/?a=1&gclid=x&b=2", "https://shop.example/?a=1&b=2"),
        ("https://shop.example/?GCLID=x&a=1", "https://shop.example/?a=1"),
        ("https://shop.example/?gcl%69d=x&a=1", "https://shop.example/?a=1"),
        ("https://shop.example/?fbclid=x&ScCid=y&utm_source=fb&gclid", "https://shop.example/?utm_source=fb"),
        ("https://shop.example/?gclid=x&gclid=y#gclid=z", "https://shop.example/#gclid=z"),
        ("https://shop.example/?a=%zz&&b=+;gclid=x&", "https://shop.example/?a=%zz&&b=+;gclid=x&"),
        ("https://shop.example/?a=1&&gclid=x&", "https://shop.example/?a=1&&"),
        ("https://shop.example/?", "https://shop.example/?"),
        ("https://shop.example/gclid=x", "https://shop.example/gclid=x"),
        ("https://shop.example/?next=%3Fgclid%3Dx", "https://shop.example/?next=%3Fgclid%3Dx"),
        ("/relative?wbraid=x", "/relative"),
        ("?gclid=x", ""),
        ("", ""),
    ],
)
def test_a_url_loses_its_click_ids_and_nothing_else(url: str, stripped: str) -> None:
    assert strip_click_ids(url) == stripped


@given(st.text())
def test_stripping_refuses_no_text_and_is_done_at_once(url: str) -> None:
    assert strip_click_ids(strip_click_ids(url)) == strip_click_ids(url)


@given(st.lists(st.sampled_from(list(CLICK_IDS))), st.text("&=?#%+;ab"))
def test_a_url_without_click_ids_stays_byte_for_byte(names: list[str], tail: str) -> None:
    url = f"https://shop.example/?{tail}"
    assert strip_click_ids(url) == url
    assert strip_click_ids("https://shop.example/?" + "".join(f"{name}=1&" for name in names) + "a=b") == (
        "https://shop.example/?a=b"
    )


def test_a_paid_click_id_counts_before_any_unpaid_one() -> None:
    proofs = [click_id.paid for click_id in CLICK_IDS.values()]
    assert proofs == sorted(proofs, reverse=True)


def test_facebooks_and_merchant_centers_ids_prove_nothing_paid() -> None:
    assert not CLICK_IDS["fbclid"].paid
    assert not CLICK_IDS["srsltid"].paid


def test_names_are_in_lower_case_as_they_are_compared() -> None:
    assert [name for name in CLICK_IDS if name != name.lower()] == []
