"""What the runtime counts. The labels come from closed sets; the help says what to do when a figure moves."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

CONSUMED = Counter(
    "closedloop_consumed",
    "Records handled and committed. When it stands still while closedloop_lag grows, read the service's log.",
    ["group", "topic"],
)
BATCH_SECONDS = Histogram(
    "closedloop_batch_seconds",
    "Time to handle one batch, commit included. When it grows, look at Postgres: disk, locks, vacuum.",
    ["group"],
    buckets=SECONDS,
)
LAG = Gauge(
    "closedloop_lag",
    "Records that this process has yet to handle in the partitions it holds. Rising for long: start another consumer.",
    ["group", "topic"],
)
DEAD_LETTERS = Counter(
    "closedloop_dead_letters",
    "Records put aside because they could not be read or handled: see `closedloop deadletters list`.",
    ["group", "reason"],
)
REPEATS = Counter(
    "closedloop_repeats",
    "Batches begun again. `conflict` now and then is normal; `fenced` often: look for pauses of consumers.",
    ["group", "cause"],
)
APPEND_SECONDS = Histogram(
    "closedloop_append_seconds",
    "Time to make one group of appends durable. This is the disk's time to sync; above 0.1 s senders feel it.",
    ["topic"],
    buckets=SECONDS,
)
APPENDED = Counter("closedloop_appended", "Records made durable in the log.", ["topic"])
UNAVAILABLE = Counter(
    "closedloop_log_unavailable",
    "Appends refused (`full`: Postgres is slower than the intake) or given up (`late`, `failed`): see the log lines.",
    ["topic", "cause"],
)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
