"""What names a person, and how it is written: one spelling for one person, none for what names nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifier import (
    contact_identifier,
    email_identifier,
    identifier_id,
    is_blocked,
    parse_identifier,
    user_identifier,
)


@pytest.mark.parametrize(
    ("raw", "identifier"),
    [
        pytest.param("ann@example.org", "email:ann@example.org", id="as it is"),
        pytest.param("  Ann@Example.ORG\t\n", "email:ann@example.org", id="trimmed and in lower case"),
        pytest.param("a.n.n+shop@gmail.com", "email:a.n.n+shop@gmail.com", id="dots and plus tags stay"),
        pytest.param("ann@bücher.example", "email:ann@xn--bcher-kva.example", id="domain in IDNA"),
        pytest.param("ann@BÜCHER.example", "email:ann@xn--bcher-kva.example", id="domain in IDNA, whatever the case"),
        pytest.param("ann@xn--bcher-kva.example", "email:ann@xn--bcher-kva.example", id="domain in IDNA already"),
        pytest.param("ann@straße.example", "email:ann@xn--strae-oqa.example", id="IDNA 2008 keeps the sharp s"),
        pytest.param("jose\u0301@example.org", "email:jos\u00e9@example.org", id="composed (NFC)"),
        pytest.param("JOSE\u0301@example.org", "email:jos\u00e9@example.org", id="capitals composed (NFC)"),
        pytest.param("ann@intranet", "email:ann@intranet", id="a domain without a dot"),
        pytest.param('"ann@home"@example.org', 'email:"ann@home"@example.org', id="the last at sign counts"),
    ],
)
def test_an_address_has_one_spelling(raw: str, identifier: str) -> None:
    assert email_identifier(raw) == identifier


@pytest.mark.parametrize(
    "raw",
    ["", " ", "ann", "@", "ann@", "@example.org", "null", "ann @example.org", "ann@example.org\x00", None, 7, True],
)
def test_what_is_no_address_is_no_identifier(raw: object) -> None:
    assert email_identifier(raw) is None


@pytest.mark.parametrize(
    "word",
    [
        *("null", "undefined", "none", "nan", "anonymous", "guest", "true", "false", "id", "[object Object]", "-1"),
        *("", " ", "0", "000", "-", "---", "00000000-0000-0000-0000-000000000000", "0-0"),
    ],
)
def test_a_stand_in_for_nothing_names_nobody(word: str) -> None:
    for spelling in (word, word.upper(), word.title(), f" {word} ", f'"{word}"', f"'{word}'", f"' {word}'"):
        assert is_blocked(spelling), spelling
        assert user_identifier(spelling) is None, spelling
        assert contact_identifier("hubspot", spelling) is None, spelling


@pytest.mark.parametrize(
    ("raw", "identifier"),
    [
        pytest.param("42", "user:42", id="text"),
        pytest.param(42, "user:42", id="a number is its decimal string"),
        pytest.param(42.0, "user:42", id="a number that JSON wrote with a point"),
        pytest.param(1e21, "user:1000000000000000000000", id="a number that JSON wrote with an exponent"),
        pytest.param(0.0000001, "user:0.0000001", id="a tiny number"),
        pytest.param(4.5, "user:4.5", id="a broken number"),
        pytest.param(-7, "user:-7", id="a negative number"),
        pytest.param(" Ann ", "user:Ann", id="trimmed, case kept"),
        pytest.param("null and void", "user:null and void", id="a blocked word in it"),
        pytest.param("-10", "user:-10", id="more than zeros and dashes"),
        pytest.param("jose\u0301", "user:jos\u00e9", id="composed (NFC)"),
        pytest.param(0, None, id="zero"),
        pytest.param(-1, None, id="minus one"),
        pytest.param(True, None, id="true"),
        pytest.param(False, None, id="false"),
        pytest.param(None, None, id="null"),
        pytest.param(["42"], None, id="a list"),
        pytest.param("x" * 513, None, id="too long"),
    ],
)
def test_a_user_id_is_written_as_the_site_writes_it(raw: object, identifier: str | None) -> None:
    assert user_identifier(raw) == identifier


def test_a_contact_id_is_one_within_its_crm() -> None:
    assert contact_identifier("hubspot", 901) == contact_identifier("hubspot", " 901 ") == "crm:hubspot:901"
    assert contact_identifier("pipedrive", 901) == "crm:pipedrive:901"


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("email:Ann@Example.org", "email:ann@example.org"),
        (" user: 42 ", "user:42"),
        ("user:a:b", "user:a:b"),
        ("crm:hubspot:901", "crm:hubspot:901"),
        ("crm:hubspot:a:b", "crm:hubspot:a:b"),
        ("crm:hubspot:", None),
        ("crm::901", None),
        ("email:ann", None),
        ("user:null", None),
        ("phone:123", None),
        ("ann@example.org", None),
        ("", None),
    ],
)
def test_an_identifier_is_written_out_with_its_kind(text: str, identifier: str | None) -> None:
    assert parse_identifier(text) == identifier


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(WORDS, WORDS)
def test_spelling_an_address_twice_changes_nothing(local: str, domain: str) -> None:
    once = email_identifier(f"{local}@{domain}")
    if once is not None:
        assert parse_identifier(once) == once


@given(WORDS)
def test_spelling_a_user_id_twice_changes_nothing(raw: str) -> None:
    once = user_identifier(raw)
    if once is not None:
        assert parse_identifier(once) == once


def test_the_id_of_an_identifier_is_known_only_to_who_has_the_key() -> None:
    # RFC 4231, test case 2: HMAC-SHA256 with the key "Jefe".
    assert identifier_id("what do ya want for nothing?", "Jefe").hex == "5bdcc146bf60754e6a042426089575c7"
    assert identifier_id("email:ann@x.org", "one key") != identifier_id("email:ann@x.org", "another key")
