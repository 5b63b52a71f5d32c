"""The product's pure functions against the reference model, on histories in which everything collides.

`SEED=123 make test ARGS="tests/unit/identity/test_reference_law.py"` draws the same histories again; the seed and the
smallest history, as code, are printed with a failure. `python -m tests.long_law` runs many more, also through Postgres.
"""

from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from tests.histories import histories
from tests.law import SEED
from tests.law.pure import place_lead_by_lead, pure_state
from tests.law.smallest import told
from tests.reference import present_state

lawful = settings(max_examples=2000, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@seed(SEED)
@lawful
@given(histories())
def test_leads_and_visits_are_those_of_the_reference(history: list[dict[str, Any]]) -> None:
    found, expected = pure_state(history), present_state(history)
    assert found == {part: expected[part] for part in found}, told(history)


@seed(SEED)
@settings(lawful, max_examples=150)
@given(histories())
def test_a_lead_can_be_decided_by_itself(history: list[dict[str, Any]]) -> None:
    at_once, alone = place_lead_by_lead(history)
    assert alone == at_once, told(history)
