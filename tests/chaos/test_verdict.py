"""The oracle of the chaos runs sees what it is there to see."""

from pathlib import Path

import pytest

from tests.chaos.figures import Figures, answer_times, first_accepted, late_promises
from tests.chaos.fleet import Exit
from tests.chaos.ledger import Attempt, Ledger, read_ledger
from tests.chaos.trial import broken_promises, repeated

ACCEPTED = Attempt(["a", "b"], 0.0, 0.1, 202)
REFUSED = Attempt(["c"], 1.0, 2.0, 503)
UNANSWERED = Attempt(["d"], 2.0, 15.0, None)

GOOD = Figures(
    run="quiet",
    events=4,
    requests=3,
    refused=0.0,
    unanswered=0.0,
    median=0.01,
    p99=0.02,
    first_accepted=0.1,
    drained=1.0,
    repeated=0,
    exits=[Exit("collector", 0, 0.2, "at the end")],
    fallen=[],
)


def test_an_attempt_can_be_read_back_as_it_was_written(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        for attempt in (ACCEPTED, UNANSWERED):
            ledger.write(attempt)
    assert read_ledger(tmp_path / "ledger") == [ACCEPTED, UNANSWERED]


@pytest.mark.parametrize(
    ("attempts", "logged", "broken"),
    [
        pytest.param([ACCEPTED], {"a": 1, "b": 1}, [], id="what was accepted is there"),
        pytest.param([ACCEPTED], {"a": 1}, ["1 accepted events are not in the log, such as b"], id="one is missing"),
        pytest.param([ACCEPTED, ACCEPTED], {"a": 2, "b": 1}, ["1 accepted events are not in the log, such as b"], id="one that was accepted twice is there once"),
        pytest.param([REFUSED, UNANSWERED], {}, [], id="what was not accepted need not be there"),
        pytest.param([REFUSED, UNANSWERED], {"c": 1, "d": 1}, [], id="what was not accepted may be there"),
        pytest.param([REFUSED], {"c": 2}, [], id="one may be there twice"),
        pytest.param([REFUSED], {"x": 1}, ["1 events in the log were never sent, such as x"], id="one was never sent"),
    ],
)  # fmt: skip
def test_the_log_is_held_against_the_answers(
    attempts: list[Attempt], logged: dict[str, int], broken: list[str]
) -> None:
    assert broken_promises(attempts, logged) == broken


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, None),
        ({"refused": 0.02}, "2.00% answered 5xx; promised are 1.00%"),
        ({"first_accepted": 5.1}, "first 2xx 5.1 s after the return"),
        ({"first_accepted": None}, "no 2xx after the return"),
        ({"drained": 61.0}, "lag drained after 61 s"),
        ({"exits": [Exit("identity", 0, 25.1, "at the end")]}, "a service took 25.1 s to end"),
        ({"exits": [Exit("identity", 1, 0.1, "under load")]}, "exit codes other than 0: identity under load: 1"),
        ({"fallen": ["identity (exit code 1)"]}, "ended without being asked: identity (exit code 1)"),
    ],
)
def test_times_and_ends_are_held_against_the_promises(changes: dict[str, object], broken: str | None) -> None:
    figures = Figures(**vars(GOOD) | changes)
    assert late_promises(figures, most_refused=0.01) == ([broken] if broken else [])


def test_the_first_acceptance_counts_from_the_return_and_percentiles_from_answers_alone() -> None:
    attempts = [ACCEPTED, REFUSED, UNANSWERED, Attempt(["e"], 4.0, 0.5, 202)]
    assert first_accepted(attempts, since=1.0) == pytest.approx(3.5)
    assert first_accepted(attempts, since=5.0) is None
    assert answer_times(attempts)[0] == pytest.approx(0.5)


def test_records_that_were_stored_twice_are_counted() -> None:
    assert repeated([ACCEPTED, REFUSED, REFUSED], {"a": 3, "b": 1, "c": 2}) == 2
