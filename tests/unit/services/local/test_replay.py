"""What becomes of a replayed state, and how a person is shown what it would move."""

import re
from importlib import resources
from uuid import UUID

import pytest

from services.local.replay import Verdict, Wish, verdict_on
from services.local.replay_moves import Hands, Money, Moves, Touches, digests_shown, moves_shown

SAME, OTHER = {"rules_changed": False}, {"rules_changed": True}
VERDICTS = [
    pytest.param(Wish(), SAME, True, Verdict.switch, id="equal under the same rules: in force"),
    pytest.param(Wish(), SAME, False, Verdict.refuse, id="different under the same rules: refused"),
    pytest.param(Wish(yes=True), SAME, False, Verdict.refuse, id="a yes to changed rules is none to a difference"),
    pytest.param(Wish(accept=True), SAME, False, Verdict.switch, id="different and accepted"),
    pytest.param(Wish(), OTHER, False, Verdict.ask, id="changed rules: asked"),
    pytest.param(Wish(), OTHER, True, Verdict.ask, id="changed rules that move nothing: asked too"),
    pytest.param(Wish(yes=True), OTHER, False, Verdict.switch, id="changed rules and a yes"),
    pytest.param(Wish(accept=True), OTHER, False, Verdict.ask, id="accepting a difference is no yes to the rules"),
    pytest.param(Wish(dry_run=True, yes=True, accept=True), OTHER, False, Verdict.leave, id="a dry run stays one"),
    pytest.param(Wish(dry_run=True), SAME, True, Verdict.leave, id="a dry run under the same rules"),
]


@pytest.mark.parametrize(("wish", "rules", "equal", "verdict"), VERDICTS)
def test_what_becomes_of_the_new_state(wish, rules, equal, verdict):
    assert verdict_on(wish, **rules, equal=equal) is verdict


def test_what_would_move_is_shown_by_channel_lead_and_model():
    moves = Moves(
        channels=[Touches("Referral", "Direct", 12), Touches(None, "Email", 1)],
        hands=[Hands(UUID(int=1), None, 3)],
        touches_of_other_lead=3,
        leads=1,
        money=[
            Money("EUR", "first_touch", "Direct", 0, 10_000),
            Money("EUR", "linear", "Direct", 5_000, 12_345),
            Money("JPY", "linear", "Direct", 0, 500),
        ],
        deals=2,
        won=7,
    )
    assert list(moves_shown(moves)) == [
        "Touches of another channel: 13",
        "         12  Referral -> Direct",
        "          1  (no touch) -> Email",
        "Touches of another lead: 3, of 1 leads",
        "          3  00000000-0000-0000-0000-000000000001 -> nobody",
        "Deals credited otherwise: 2 of 7",
        "  first_touch, EUR",
        "    Direct                                0.00 ->          100.00",
        "  linear, EUR",
        "    Direct                               50.00 ->          123.45",
        "  linear, JPY",
        "    Direct                                   0 ->             500",
    ]


def test_each_part_of_the_digest_is_equal_or_shown_in_both_states():
    assert list(digests_shown({"leads": "a", "credits": "b"}, {"leads": "a", "credits": "c"})) == [
        "  leads    a  equal",
        "  credits  b  now c",
    ]


@pytest.mark.parametrize("package", ["services.runtime", "services.reports", "identity", "attributor"])
def test_no_query_of_a_service_names_the_state_it_means(package):
    """Its session does: so the same query works on the state in force and on the one that a replay makes."""
    files = [file for file in resources.files(package).iterdir() if file.name.endswith(".sql")]
    assert files
    assert [file.name for file in files if re.search(r"\bstate\.\w", file.read_text())] == []
