import pytest

from tests.sending import accept, refuse


def form(fields: object, email_fields: object = None, **others: object) -> dict[str, object]:
    return {"type": "form", "form": {"id": "f", "fields": fields, "email_fields": email_fields}, **others}


@pytest.mark.parametrize(
    ("event", "email"),
    [
        (form({"email": "ann@example.org"}), "ann@example.org"),
        (form({"E-Mail": "ann@example.org"}), "ann@example.org"),
        (form({"MAIL": "ann@example.org"}), "ann@example.org"),
        (form({"User_Email": "ann@example.org"}), "ann@example.org"),
        (form({"email": "a@example.org", "mail": "b@example.org"}), "a@example.org"),
        (form({"mail": "b@example.org", "email": "a@example.org"}), "a@example.org"),
        (form({"user_email": "c@example.org", "e-mail": "b@example.org"}), "b@example.org"),
        (form({"email": "a@example.org", "EMAIL": "b@example.org", "Email": "c@example.org"}), "b@example.org"),
        (form({"email": "none of your business", "mail": "b@example.org"}), "b@example.org"),
        (form({"email": "undefined", "mail": "b@example.org"}), "b@example.org"),
        (form({"email": 42, "mail": "b@example.org"}), "b@example.org"),
        (form({"adresse": "a@example.org"}), None),
        (form({"adresse": "a@example.org"}, ["adresse"]), "a@example.org"),
        (form({"z": "z@example.org", "b": "b@example.org"}, ["z", "b"]), "b@example.org"),
        (form({"z": "z@example.org", "b": "no"}, ["z", "b"]), "z@example.org"),
        (form({"mail": "m@example.org", "b": "b@example.org"}, ["b"]), "m@example.org"),
        (form({}, ["gone"]), None),
        (form(None), None),
        (form({"email": "field@example.org"}, email="top@example.org"), "top@example.org"),
        ({"type": "identify", "email": " Ann@Example.org "}, " Ann@Example.org "),
    ],
)
def test_one_address_an_event_the_first_that_is_valid(event, email):
    assert accept(event).get("person", {}).get("email") == email


def test_an_address_that_is_none_gives_way_to_a_field_and_is_kept_beside_it():
    person = accept(form({"email": "ann@example.org"}, email="ann at example"))["person"]
    assert (person["email"], person["given_email"]) == ("ann@example.org", "ann at example")


def test_an_address_that_is_none_stays_when_no_field_holds_another():
    assert accept({"type": "form", "email": "ann at example"})["person"] == {"email": "ann at example"}


def test_all_personal_values_stand_in_person():
    event = accept(
        form(
            {"email": "ann@example.org", "message": "call me"},
            user_id=42,
            previous_id="trial-7",
            traits={"city": "Köln"},
            visitor_id="v",
        )
    )
    assert event["form"] == {"id": "f", "email_fields": None}
    assert event["person"] == {
        "user_id": 42,
        "previous_id": "trial-7",
        "traits": {"city": "Köln"},
        "fields": {"email": "ann@example.org", "message": "call me"},
        "email": "ann@example.org",
    }
    assert not {"email", "user_id", "previous_id", "traits"} & event.keys()


def test_a_person_that_the_sender_made_up_decides_nothing():
    event = accept({"type": "identify", "person": {"email": "mallory@example.org"}, "email": "ann@example.org"})
    assert event["person"] == {"given_person": {"email": "mallory@example.org"}, "email": "ann@example.org"}


@pytest.mark.parametrize(
    "given",
    [
        {"fields": ["email"]},
        {"fields": "email"},
        {"email_fields": "email"},
        {"email_fields": [1]},
        {"email_fields": {"email": True}},
    ],
)
def test_a_form_of_another_shape_is_refused(given):
    assert refuse({"type": "form", "form": given}) == "invalid_form"
