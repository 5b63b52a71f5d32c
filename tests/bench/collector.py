"""The collector's process under load, beside a bare server of the same kind."""

import asyncio
import itertools
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import orjson
import uvloop

from schemas.topics import TOPICS
from services.runtime.kafka_topics import make_topics
from services.runtime.migrate import migrate
from services.runtime.open_log import open_log
from services.runtime.settings import Settings
from tests.bench.http_load import load, post
from tests.bench.measuring import Bench, Contender, Row, alternate
from tests.bench.processes import Server, free_port, process, service
from tests.bench.traffic import traffic
from tests.brokers import libraries
from tests.conftest import fresh_database, make_settings, running_brokers

CONNECTIONS = 64
SIZES = (1, 20)
EVENTS = 4_000
STAMPED = ("received_at", "address")
"""What the collector adds; a browser does not send it."""


def measure(bench: Bench) -> list[Row]:
    """Events accepted, which means durable in the log, one and twenty a request: the embedded log, and Kafka."""
    with fresh_database(bench.dsn, "") as dsn:
        asyncio.run(migrate(dsn, bench.tell))
        rows = _rows(bench, make_settings(dsn, bench.folder, port=free_port(), ops_port=free_port()), "")
        try:
            libraries()
        except AssertionError as why:
            bench.tell(f"without Kafka: {why}")
            return rows
        with running_brokers(bench.folder / "kafka", 1) as brokers:
            changes = {"broker": brokers.address, "port": free_port(), "ops_port": free_port()}
            settings = make_settings(dsn, bench.folder, **changes)
            asyncio.run(make_topics(settings, bench.tell))
            return rows + _rows(bench, settings, " on Kafka")


def _rows(bench: Bench, settings: Settings, where: str) -> list[Row]:
    with service("collector", settings, settings.port, settings.ops_port) as ours, bare_server(free_port()) as bare:
        rows = [uvloop.run(_row(bench, ours, bare, size, settings.write_key, where=where)) for size in SIZES]
    asyncio.run(check_logged(settings, sum(sample.count for row in rows for sample in row.ours)))
    return rows


async def _row(bench: Bench, ours: Server, bare: Server, size: int, write_key: str, *, where: str) -> Row:
    requests = requests_of(bench.seed, size, write_key)

    def sending_to(server: Server) -> Callable[[int], Awaitable[int]]:
        async def run(_number: int) -> int:
            return size * await load(server.port, requests, connections=CONNECTIONS, seconds=bench.scale.seconds)

        return run

    what = f"collector{where}, {size} event{'' if size == 1 else 's'} a request"
    accepted, answered = await alternate(
        bench,
        Contender(what, ours.pid, sending_to(ours)),
        Contender("bare server", bare.pid, sending_to(bare)),
    )
    return Row(what, accepted, "bare uvicorn, keeps nothing", answered)


def requests_of(seed: int, size: int, write_key: str) -> list[bytes]:
    """Requests with so many page views each, about 350 bytes a page view."""
    views = (event for event in traffic(seed) if event["type"] == "pageview")
    sent = [
        {name: value for name, value in view.items() if name not in STAMPED} for view in itertools.islice(views, EVENTS)
    ]
    batches = [sent[start : start + size] for start in range(0, EVENTS, size)]
    return [post("/v1/events", write_key, orjson.dumps(batch if size > 1 else batch[0])) for batch in batches]


async def check_logged(settings: Settings, accepted: int) -> None:
    """Raises RuntimeError when the log holds another number of events than were accepted."""
    async with open_log(settings) as log:
        logged = sum([end for topic in TOPICS for end in await log.ends(topic.name)])
    if logged != accepted:
        raise RuntimeError(f"the collector accepted {accepted:,} events, the log holds {logged:,}")


@contextmanager
def bare_server(port: int) -> Iterator[Server]:
    """uvicorn with the collector's loop and parser, and an application that does nothing."""
    options = [
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--lifespan",
        "off",
        "--log-level",
        "error",
    ]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.echo:app", "--port", str(port), *options]
    with process(command, dict(os.environ), port) as server:
        yield server
