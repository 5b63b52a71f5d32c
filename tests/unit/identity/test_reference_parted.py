"""Two identifiers that were linked and then unlinked: everything is as if the two had never met, with anything in between."""

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.histories import histories
from tests.law import SEED
from tests.law.parted import PARTING_BYTES, Parted, parted
from tests.law.pure import pure_state
from tests.law.smallest import told
from tests.reference import present_state

lawful = settings(max_examples=200, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
partings = st.builds(parted, histories(), st.binary(min_size=PARTING_BYTES, max_size=PARTING_BYTES))


@seed(SEED)
@lawful
@given(partings)
def test_merged_and_unlinked_is_never_merged(story: Parted) -> None:
    assert present_state(story.parted) == present_state(story.never_met), told(story.parted)
    assert pure_state(story.parted) == pure_state(story.never_met), told(story.parted)


@seed(SEED)
@settings(lawful, max_examples=60)
@given(partings)
def test_unlinked_and_linked_again_is_merged(story: Parted) -> None:
    assert present_state(story.joined_again) == present_state(story.met), told(story.joined_again)
    assert pure_state(story.joined_again) == pure_state(story.met), told(story.joined_again)
