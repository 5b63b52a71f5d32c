"""What the runtime counts. The labels come from closed sets; the help says what to do when a figure moves."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, Protocol

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # those are a second series for every counter; nobody asks

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

CONSUMED = Counter(
    "closedloop_consumed",
    "Records handled and committed. When it stands still while closedloop_lag_records grows, read the service's log.",
    ["group", "topic"],
)
BATCH_SECONDS = Histogram(
    "closedloop_batch_seconds",
    "Time to handle one batch, commit included. When it grows, look at Postgres: disk, locks, vacuum.",
    ["group"],
    buckets=SECONDS,
)
LAG_RECORDS = Gauge(
    "closedloop_consumer_lag_records",
    "Records that this process has yet to handle in the partitions it holds. Rising for long: start another consumer.",
    ["group", "topic"],
)
LAG_SECONDS = Gauge(
    "closedloop_consumer_lag_seconds",
    "Age of the oldest record that this process has yet to handle in the partitions it holds; 0 when it caught up. "
    "closedloop_lag_seconds of the reports service says the same for the whole group, also when no consumer lives.",
    ["group"],
)
PARTITIONS_HELD = Gauge(
    "closedloop_partitions_held",
    "Partitions that this process holds by lease. All consumers of a group together hold every partition once; fewer "
    "for longer than a minute: a consumer that holds some is stuck, restart the one whose log stands still.",
    ["group", "topic"],
)
NOTES_WORKED = Counter(
    "closedloop_notes_worked",
    "Chunks of notes worked off: what something else changed, looked at again. Standing still while closedloop_notes "
    "grows: read the service's log.",
    ["group"],
)
DEAD_LETTERS = Counter(
    "closedloop_dead_letters",
    "Records put aside because they could not be read or handled: see `closedloop deadletters list`.",
    ["group", "reason"],
)
REPEATS = Counter(
    "closedloop_repeats",
    "Batches begun again. `conflict` now and then is normal; `fenced` often: look for pauses of consumers. "
    "`another version`: a migration has passed this program by; update it.",
    ["group", "cause"],
)
APPEND_SECONDS = Histogram(
    "closedloop_append_seconds",
    "Time to make one group of appends durable: the disk's time to sync, or the brokers'. Above 0.1 s senders feel it.",
    ["topic"],
    buckets=SECONDS,
)
APPENDED = Counter(
    "closedloop_appended",
    "Records made durable in the log. Standing still while requests come: see closedloop_log_unavailable_total.",
    ["topic"],
)
UNAVAILABLE = Counter(
    "closedloop_log_unavailable",
    "Appends refused (`full`: the log is slower than the intake) or given up (`late`: not durable in time; `failed`: "
    "Postgres or Kafka said no): see whether those are up and their disks well; the log lines have the reason.",
    ["topic", "cause"],
)
KAFKA_REBUILDS = Counter(
    "closedloop_kafka_client_rebuilds",
    "Kafka clients thrown away and made anew because they failed or made no progress. More than 3 an hour: look at the "
    "brokers and the way to them; one after a broker's restart is normal.",
    ["client", "cause"],
)
LOOP_LAG_SECONDS = Histogram(
    "closedloop_loop_lag_seconds",
    "How late the event loop comes round, measured four times a second. Above 0.1 s something computes too long in one "
    "go, or the machine is short of processor time: look at process_cpu_seconds_total, then give it more.",
    buckets=SECONDS,
)
CHECK_OK = Gauge(
    "closedloop_check_ok",
    "Whether a check of this service's readiness holds. 0: its /readyz says why and what to do.",
    ["check"],
)
BUILD_INFO = Gauge(
    "closedloop_build_info",
    "1, with the version that runs as a label. Two versions at once for longer than a rollout: it is stuck.",
    ["version"],
)
BUILD_INFO.labels(version("closedloop")).set(1)


class Pool(Protocol):
    """What is asked of a pool of connections."""

    def get_size(self) -> int: ...

    def get_idle_size(self) -> int: ...

    def get_max_size(self) -> int: ...


class Pools(Collector):
    """The database pools that are open in this process, by what they are for."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Pool]] = []

    def add(self, name: str, pool: Pool) -> None:
        """`name` is one of the code's own: it becomes a label."""
        self._open.append((name, pool))

    def remove(self, name: str, pool: Pool) -> None:
        self._open.remove((name, pool))

    def collect(self) -> Iterator[Metric]:
        sizes: dict[str, tuple[int, int, int]] = {}
        for name, pool in self._open:
            used, idle, most = sizes.get(name, (0, 0, 0))
            size, free = pool.get_size(), pool.get_idle_size()
            sizes[name] = (used + size - free, idle + free, most + pool.get_max_size())
        connections = GaugeMetricFamily(
            "closedloop_database_connections",
            "Connections to Postgres that this process has open. in_use at closedloop_database_connections_max for "
            "long: work waits for a connection; look for slow statements in Postgres before anything else.",
            labels=["pool", "state"],
        )
        limits = GaugeMetricFamily(
            "closedloop_database_connections_max",
            "Connections to Postgres that this process may open. The sum over all processes must stay below Postgres' "
            "max_connections.",
            labels=["pool"],
        )
        for name, (used, idle, most) in sizes.items():
            connections.add_metric([name, "in_use"], used)
            connections.add_metric([name, "idle"], idle)
            limits.add_metric([name], most)
        yield connections
        yield limits


POOLS: Final = Pools()
REGISTRY.register(POOLS)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
