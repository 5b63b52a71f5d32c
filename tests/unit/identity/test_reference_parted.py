"""Two identifiers that were linked and then unlinked: everything is as if the two had never met, with anything in between."""

import os
import secrets

from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from tests.histories import histories
from tests.law.parted import PARTING_BYTES, Parted, parted
from tests.law.pure import pure_state
from tests.law.smallest import as_code
from tests.reference import present_state

SEED = int(os.environ.get("SEED") or secrets.randbelow(2**32))

lawful = settings(max_examples=300, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
partings = st.builds(parted, histories(), st.binary(min_size=PARTING_BYTES, max_size=PARTING_BYTES))


@seed(SEED)
@lawful
@given(partings)
def test_merged_and_unlinked_is_never_merged(told: Parted) -> None:
    note(f"SEED={SEED}\n{as_code(told.parted)}")
    assert present_state(told.parted) == present_state(told.never_met)
    assert pure_state(told.parted) == pure_state(told.never_met)


@seed(SEED)
@settings(lawful, max_examples=100)
@given(partings)
def test_unlinked_and_linked_again_is_merged(told: Parted) -> None:
    note(f"SEED={SEED}\n{as_code(told.joined_again)}")
    assert present_state(told.joined_again) == present_state(told.met)
    assert pure_state(told.joined_again) == pure_state(told.met)
