import pytest

from services.runtime.leases import Place, share_of

PLACES = [Place("events", number) for number in range(8)] + [Place("deals", number) for number in range(4)]


@pytest.mark.parametrize("members", range(1, 15))
def test_every_partition_has_one_member_and_no_member_much_more_than_another(members):
    names = [f"member {number}" for number in range(members)]
    shares = [share_of(PLACES, names, name) for name in names]
    assert sorted(place for share in shares for place in share) == sorted(PLACES)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for topic in ("events", "deals"):
        counts = [sum(place.topic == topic for place in share) for share in shares]
        assert max(counts) - min(counts) <= 1


def test_the_order_in_which_members_and_places_are_listed_changes_nothing():
    assert share_of(PLACES[::-1], ["b", "a"], "b") == share_of(PLACES, ["a", "b"], "b")


def test_while_a_replay_wants_to_be_alone_it_has_everything_and_the_others_nothing():
    names = ["closedloop identity a1", "closedloop replay b2", "closedloop identity c3"]
    assert [share_of(PLACES, names, name) for name in names] == [[], sorted(PLACES), []]


def test_who_is_no_member_gets_nothing():
    assert share_of(PLACES, ["a"], "b") == []
