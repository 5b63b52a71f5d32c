"""What the runtime counts. The labels come from closed sets; the help says what to do when a figure moves."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

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
BATCH_RECORDS = Histogram(
    "closedloop_batch_records",
    "Records of one batch. Near 1,000 all the time: the group works off a backlog, see its lag.",
    ["group"],
    buckets=RECORDS,
)
NOTES_WORKED = Counter(
    "closedloop_notes_worked",
    "Chunks of notes worked off: what another part changed, looked at again. Standing still while closedloop_notes "
    "grows: read the service's log.",
    ["group"],
)
NOTES_FAILING = Gauge(
    "closedloop_notes_failing",
    "Notes put off because working them failed; they are tried again. Above 0: read the service's log for the cause.",
    ["group"],
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
KAFKA_REBUILDS = Counter(
    "closedloop_kafka_client_rebuilds",
    "Kafka clients thrown away and made anew because they failed or made no progress. More than 3 an hour: look at the "
    "brokers and the way to them; one after a broker's restart is normal.",
    ["client", "cause"],
)


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)
