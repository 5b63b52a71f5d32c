"""What the collector counts: plain integers in the hot path, told to Prometheus when it asks."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.answer import Answer
from collector.intake import Taken
from collector.refusal import Reason

OUTCOMES: Final = ("accepted", "preflight", *(reason.name for reason in Reason))
"""All values of the `outcome` label; a closed set, whatever anyone sends."""


class Counts(Collector):
    """Counts since the start of this process."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._accepted = 0
        self._blocked_visitors = 0

    def answered(self, answer: Answer) -> None:
        self._requests[answer.outcome] += 1

    def took(self, taken: Taken) -> None:
        """The events of one request, once the log has those that were accepted."""
        self._accepted += taken.accepted
        self._blocked_visitors += taken.blocked_visitors
        for rejection in taken.rejected:
            self._rejected[rejection.reason.name] += 1

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "closedloop_collector_requests",
            "Requests to send events by outcome. `log_unavailable` or `overloaded`: look at Postgres and its disk; "
            "`key_wrong`: a site or a server uses an old key.",
            labels=["outcome"],
        )
        for outcome in OUTCOMES:
            requests.add_metric([outcome], self._requests[outcome])
        yield requests
        yield CounterMetricFamily(
            "closedloop_collector_events_accepted",
            "Events that the log has made durable. Standing still by day: is the snippet still on the pages?",
            value=self._accepted,
        )
        rejected = CounterMetricFamily(
            "closedloop_collector_events_rejected",
            "Events that were refused, by reason; a rise often follows a sender's release. The answers name the place.",
            labels=["reason"],
        )
        for reason in Reason:
            rejected.add_metric([reason.name], self._rejected[reason.name])
        yield rejected
        yield CounterMetricFamily(
            "closedloop_collector_blocked_visitor_ids",
            "Accepted events whose visitor_id was a stand-in such as null or undefined: the sender had none.",
            value=self._blocked_visitors,
        )
