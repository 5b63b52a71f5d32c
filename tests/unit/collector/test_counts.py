"""What the collector counts, and that nobody outside decides what its series are called."""

import random

import pytest
from prometheus_client.metrics_core import Metric

from collector.answer import answer_refused, answer_taken
from collector.apart import Apart
from collector.counts import OUTCOMES, Counts
from collector.keys import Sender
from collector.refusal import Reason, RefusedError
from schemas.event import EventType
from tests.sending import send

PAGE = {"type": "pageview"}
HOSTILE = ['"', "\n", "\\", "pageview\n# TYPE x counter", "type", "🜁", "a" * 4000, "<b>", "1", "", "{}", "constructor"]
"""What would break the exposition, or make a series of its own, if it ever became a label."""


def samples(counts: Counts) -> dict[tuple[str, ...], float]:
    families: list[Metric] = list(counts.collect())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_events_are_counted_by_type_and_by_why_they_were_refused():
    counts = Counts()
    form = PAGE | {"type": "form", "email": "ann@example.org"}
    for items in ([PAGE, PAGE, form], [1, "x"], [PAGE | {"visitor_id": "null"}]):
        counts.took(send(items))
    counted = samples(counts)
    assert counted["closedloop_collector_events_accepted_total", "pageview"] == 3
    assert counted["closedloop_collector_events_accepted_total", "form"] == 1
    assert counted["closedloop_collector_events_rejected_total", "not_an_object"] == 2
    assert counted["closedloop_collector_blocked_visitor_ids_total",] == 1


def test_events_are_counted_by_why_they_were_kept_apart():
    counts = Counts()
    for reason in ("bot", "bot", "own_visit", None):
        counts.took(send([PAGE, PAGE, "no event"], kept_apart=reason))
    counted = samples(counts)
    apart = {name: counted["closedloop_collector_events_kept_apart_total", name] for name in Apart}
    assert apart == {"bot": 4, "own_visit": 2, "prefetch": 0, "mail_scanner": 0}
    assert counted["closedloop_collector_events_accepted_total", "pageview"] == 8


@pytest.mark.parametrize(
    ("person", "blocked"),
    [
        ({}, 0),
        ({"user_id": "42", "email": "ann@example.org"}, 0),
        ({"user_id": "undefined"}, 1),
        ({"user_id": 0}, 1),
        ({"user_id": -1.0}, 1),
        ({"previous_id": "'NULL'", "user_id": "none"}, 1),
        ({"email": "[object Object]"}, 1),
        ({"email": ""}, 1),
        ({"email": "guest", "form": {"fields": {"email": "ann@example.org"}}}, 1),
        ({"form": {"fields": {"email": ""}}}, 0),
    ],
)
def test_events_with_a_stand_in_for_an_identifier_are_taken_and_counted(person, blocked):
    counts = Counts()
    counts.took(send([PAGE | person, PAGE]))
    counted = samples(counts)
    assert counted["closedloop_collector_events_accepted_total", "pageview"] == 2
    assert counted["closedloop_collector_blocked_identifiers_total",] == blocked


@pytest.mark.parametrize(
    ("item", "blocked"),
    [
        ({"type": "contact", "contact_id": "id"}, 1),
        ({"type": "deal", "deal_id": "7", "stage": "open", "contacts": [{"contact_id": 9}, {"email": "NaN"}]}, 1),
        ({"type": "deal", "deal_id": "7", "stage": "open", "contacts": [{"contact_id": 9}, {"email": None}]}, 0),
    ],
)
def test_a_crms_stand_ins_are_counted_too(item, blocked):
    counts = Counts()
    counts.took(send(item, sender=Sender.admin))
    assert samples(counts)["closedloop_collector_blocked_identifiers_total",] == blocked


def test_events_that_the_log_did_not_take_are_shed_and_not_accepted():
    counts = Counts()
    counts.shed(send([PAGE, PAGE]))
    counts.answered(answer_refused(RefusedError(Reason.log_unavailable), 1))
    counted = samples(counts)
    assert counted["closedloop_collector_events_shed_total",] == 2
    assert counted["closedloop_collector_events_accepted_total", "pageview"] == 0
    assert counted["closedloop_collector_requests_total", "log_unavailable"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_what_anyone_sends_makes_no_new_series(seed):
    print("seed", seed)
    rng = random.Random(seed)
    counts = Counts()
    before = samples(counts).keys()
    for _ in range(200):
        event = PAGE | {
            rng.choice(["type", "visitor_id", "name", "event_id", "url", "properties"]): rng.choice(HOSTILE)
        }
        taken = send([event, rng.choice(HOSTILE)])
        counts.took(taken)
        counts.shed(taken)
        counts.answered(answer_taken(taken))
    assert samples(counts).keys() == before


def test_every_value_of_a_label_is_told_before_it_first_happens():
    told = samples(Counts()).keys()
    assert {("closedloop_collector_requests_total", outcome) for outcome in OUTCOMES} <= told
    assert {("closedloop_collector_events_accepted_total", kind.value) for kind in EventType} <= told
    assert {("closedloop_collector_events_rejected_total", reason.name) for reason in Reason} <= told
    assert {("closedloop_collector_events_kept_apart_total", reason.value) for reason in Apart} <= told
