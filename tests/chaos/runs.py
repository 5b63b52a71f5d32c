"""The table of runs: what goes wrong, for how long, and what the visitors may notice of it."""

from tests.chaos import faults
from tests.chaos.trial import Run

# While a broker is replaced, requests wait, about as long as their deadline when it was the active controller too: those
# of its first moments are then answered 503, which is much of a short run. While consumers come and go, or their
# database is away, the collector has nothing to refuse.
RUNS = (
    Run("kafka-away", "Kafka is stopped, for seconds", faults.kafka_away, full=60, short=6),
    Run("kafka-silent", "Kafka is frozen, for seconds", faults.kafka_silent, full=20, short=4),
    Run("postgres-away", "Postgres crashes, for seconds", faults.postgres_away, full=60, short=6, most_refused=0),
    Run("kills", "each service is killed -9, times", faults.kills, full=20, short=2, back_seconds=10),
    Run("members", "three consumers of each group come and go, for seconds", faults.comings_and_goings, full=60, short=6, most_refused=0),
    Run("sigterm", "each service is asked to stop, rounds", faults.terminations, full=3, short=1),
    Run("brokers", "one of three brokers is killed, times", faults.brokers_in_turn, full=6, short=1, brokers=3, most_refused=0.2),
)  # fmt: skip
