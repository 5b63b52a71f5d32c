"""What the collector counts: plain integers in the hot path, told to Prometheus when it asks."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import Gauge
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.answer import Answer
from collector.apart import Apart
from collector.intake import Taken
from collector.refusal import Reason
from schemas.event import EventType

OUTCOMES: Final = ("accepted", "preflight", *(reason.name for reason in Reason))
"""All values of the `outcome` label; a closed set, whatever anyone sends."""

UNDER_WAY_BYTES: Final = Gauge(
    "closedloop_collector_under_way_bytes",
    "What the requests under way weigh. At 64 MiB further ones are answered 503 overloaded: the log is too slow for "
    "what arrives, see closedloop_append_seconds, or more collectors are needed.",
)


class Counts(Collector):
    """Counts since the start of this process."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._shed = 0
        self._blocked_visitors = 0
        self._blocked_identifiers = 0
        self._kept_apart: Counter[str] = Counter()

    def answered(self, answer: Answer) -> None:
        self._requests[answer.outcome] += 1

    def took(self, taken: Taken) -> None:
        """The events of one request, once the log has those that were accepted."""
        for event_type, events in taken.types.items():
            self._accepted[event_type] += events
        self._blocked_visitors += taken.blocked_visitors
        self._blocked_identifiers += taken.blocked_identifiers
        if taken.kept_apart is not None:
            self._kept_apart[taken.kept_apart] += taken.accepted
        for rejection in taken.rejected:
            self._rejected[rejection.reason.name] += 1

    def shed(self, taken: Taken) -> None:
        """The events of one request that the log did not make durable in time."""
        self._shed += taken.accepted

    def collect(self) -> Iterator[Metric]:
        yield labelled(
            "closedloop_collector_requests",
            "Requests to send events by outcome. `log_unavailable` or `overloaded`: look at Postgres or Kafka; "
            "`key_wrong`: a site or a server uses an old key.",
            "outcome",
            {outcome: self._requests[outcome] for outcome in OUTCOMES},
        )
        yield labelled(
            "closedloop_collector_events_accepted",
            "Events that the log has made durable. Standing still by day: look whether the snippet is on the pages.",
            "type",
            {event_type.value: self._accepted[event_type.value] for event_type in EventType},
        )
        yield labelled(
            "closedloop_collector_events_rejected",
            "Events that were refused, by reason; a rise often follows a sender's release. The answers name the place.",
            "reason",
            {reason.name: self._rejected[reason.name] for reason in Reason},
        )
        yield CounterMetricFamily(
            "closedloop_collector_events_shed",
            "Events answered 503 because the log did not make them durable in time; good senders send them again. Look "
            "at closedloop_log_unavailable_total for the cause.",
            value=self._shed,
        )
        yield CounterMetricFamily(
            "closedloop_collector_blocked_visitor_ids",
            "Accepted events whose visitor_id was a stand-in such as null or undefined: the sender had none. A rise "
            "points to a faulty snippet or integration; its visitors cannot be told apart.",
            value=self._blocked_visitors,
        )
        yield CounterMetricFamily(
            "closedloop_collector_blocked_identifiers",
            "Accepted events whose e-mail address, user, previous or contact id was a stand-in such as null or "
            "undefined: it names nobody. A rise points to a faulty snippet or integration, whose people are no leads.",
            value=self._blocked_identifiers,
        )
        yield labelled(
            "closedloop_collector_events_kept_apart",
            "Accepted events that are in no report on people, by reason. Many of `bot` are normal; when people are "
            "missing in the reports, see here first: a rise of `own_visit` or `prefetch` may be a proxy's doing.",
            "reason",
            {reason.value: self._kept_apart[reason.value] for reason in Apart},
        )


def labelled(name: str, meaning: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    """A counter with one label, all of whose values are told from the start."""
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
