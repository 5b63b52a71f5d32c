"""The requests of one HTTP service, counted and timed around its ASGI application.

Plain integers in the hot path, told to Prometheus when it asks: about a microsecond a request.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import accumulate
from time import perf_counter
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

App = Callable[[Any, Any, Any], Awaitable[None]]

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the last is above every deadline of ours."""

LIMITS: Final = (*map(str, BUCKETS), "+Inf")

OTHER: Final = "other"
"""The route of an address that there is not."""

GONE: Final = 499
"""The status, as nginx counts it, of a request whose sender hung up before it was answered."""

_FROM_THE_START: Final = (500, 503)
"""Told as 0 before they happen: of a series that begins above 0 the first failures are lost to `rate`."""


class _Route:
    """The requests of one route."""

    __slots__ = ("answers", "buckets", "seconds")

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter(dict.fromkeys(_FROM_THE_START, 0))
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0


class Requests(Collector):
    """The ASGI application `app`, whose requests are counted by route and status, and timed by route."""

    def __init__(self, app: App, route_of: Callable[[Any], str], routes: Sequence[str] = ()) -> None:
        """`route_of` names the route of a scope that was answered. The name becomes a label: it is one of the code's
        own, or OTHER. `routes` are told before their first request.
        """
        self._app = app
        self._route_of = route_of
        self._routes = {route: _Route() for route in (*routes, OTHER)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status = GONE

        def sending(message: Any) -> Awaitable[None]:
            nonlocal status
            if "status" in message:
                status = message["status"]
            answer: Awaitable[None] = send(message)
            return answer

        begun = perf_counter()
        try:
            await self._app(scope, receive, sending)
        except Exception:
            status = 500  # what the server answers for it
            raise
        finally:
            seconds = perf_counter() - begun
            route = self._routes.get(name := self._route_of(scope)) or self._routes.setdefault(name, _Route())
            route.answers[status] += 1
            route.buckets[bisect_left(BUCKETS, seconds)] += 1
            route.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "closedloop_http_requests",
            "Requests by route and status. 503: Postgres or Kafka does not keep up or is away; 500: a fault of this "
            "program, its log has it; 499: the sender hung up; many 4xx: closedloop_collector_requests_total says why.",
            labels=["route", "code"],
        )
        durations = HistogramMetricFamily(
            "closedloop_http_request_duration_seconds",
            "Time from a request's head to the end of its answer, the sending of its body included. Of events most is "
            "the log's time to make them durable: when this grows, see closedloop_append_seconds.",
            labels=["route"],
        )
        for name, route in self._routes.items():
            for status, count in sorted(route.answers.items()):
                requests.add_metric([name, str(status)], count)
            durations.add_metric([name], list(zip(LIMITS, accumulate(route.buckets), strict=True)), route.seconds)
        yield requests
        yield durations
