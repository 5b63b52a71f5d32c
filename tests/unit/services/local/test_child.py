import pytest

from services.local.child import ending, next_delay


@pytest.mark.parametrize(
    ("delay", "lived", "expected"),
    [
        pytest.param(0, 0.1, 0.5, id="the first death waits half a second"),
        pytest.param(0.5, 0.1, 1.0, id="the second twice as long"),
        pytest.param(8, 59.9, 15, id="never longer than fifteen"),
        pytest.param(15, 59.9, 15, id="and it stays there"),
        pytest.param(15, 60, 0.5, id="a minute of life forgives"),
    ],
)
def test_a_service_that_keeps_dying_is_started_less_and_less_often(delay: float, lived: float, expected: float) -> None:
    assert next_delay(delay, lived) == expected


@pytest.mark.parametrize(
    ("code", "words"), [(0, "ended with exit code 0"), (3, "ended with exit code 3"), (-9, "was ended by SIGKILL")]
)
def test_the_end_of_a_service_is_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words
