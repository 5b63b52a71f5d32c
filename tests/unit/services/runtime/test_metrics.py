"""What the runtime tells of itself: the pools of a process, and how late its loop comes round."""

import asyncio
import time
from contextlib import suppress
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.loop_lag import PAUSE_SECONDS, measure_loop_lag
from services.runtime.metrics import Pools, exposition


class FakePool(NamedTuple):
    """A pool of a moment."""

    size: int
    idle: int
    most: int

    def get_size(self):
        return self.size

    def get_idle_size(self):
        return self.idle

    def get_max_size(self):
        return self.most


def told(pools):
    return {tuple(sample.labels.values()): sample.value for family in pools.collect() for sample in family.samples}


def test_a_pool_tells_who_uses_it_until_it_is_closed():
    pools = Pools()
    pool = FakePool(3, 1, 4)
    pools.add("identity", pool)
    assert told(pools) == {("identity", "in_use"): 2, ("identity", "idle"): 1, ("identity",): 4}
    pools.remove("identity", pool)
    assert told(pools) == {}


def test_pools_of_one_purpose_are_one_series():
    pools = Pools()
    pools.add("log", FakePool(2, 0, 2))
    pools.add("log", FakePool(1, 1, 2))
    assert told(pools) == {("log", "in_use"): 2, ("log", "idle"): 1, ("log",): 4}


async def test_a_loop_that_is_held_up_is_told_to_be_late():
    def late():
        return REGISTRY.get_sample_value("closedloop_loop_lag_seconds_sum") or 0.0

    before = late()
    measuring = asyncio.create_task(measure_loop_lag())
    await asyncio.sleep(0)  # it waits now
    time.sleep(PAUSE_SECONDS + 0.1)  # noqa: ASYNC251 - this is the fault to be measured
    async with asyncio.timeout(5):
        while late() == before:
            await asyncio.sleep(0)
    measuring.cancel()
    with suppress(asyncio.CancelledError):
        await measuring
    assert 0.1 <= late() - before < 5


def test_the_exposition_can_be_read_and_names_the_version():
    families = {family.name: family for family in text_string_to_metric_families(exposition().decode())}
    [build] = families["closedloop_build_info"].samples
    assert build.labels["version"]
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= families.keys()
