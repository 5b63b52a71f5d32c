import asyncpg
import pytest

from services.runtime.backoff import backoff
from services.runtime.consumer import cause_of
from services.runtime.delivering import Fenced


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        pytest.param(Fenced(), "fenced", id="another consumer has moved on"),
        pytest.param(asyncpg.DeadlockDetectedError(), "conflict", id="two transactions clash"),
        pytest.param(ConnectionResetError(), "outage", id="Postgres is away"),
        pytest.param(ValueError(), None, id="the record is at fault, or the program"),
    ],
)
def test_a_batch_is_begun_again_when_that_would_help(error, cause):
    assert cause_of(error) == cause


def test_pauses_double_up_to_the_longest_also_in_an_outage_of_days():
    assert [backoff(0.05, failures, 5) for failures in (1, 2, 3, 8, 100_000)] == [0.1, 0.2, 0.4, 5, 5]
