"""One fleet, its undisturbed outcome, and benches to disturb."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.settings import KafkaSettings, RedisSettings
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages, untidy
from tests.support.outcomes import ReplayOutcome, outcome_of
from tests.support.servers.influx import InfluxServer, influx_server
from tests.support.servers.outages import Replay

FLEET = 12 if os.environ.get("SURGELINE_TEST_FAULTS") == "full" else 8
"""Engines: enough for alarms on most of the eight partitions."""

Messages = list[tuple[bytes, bytes]]
NewBench = Callable[[], DetectorBench]


@pytest.fixture(scope="session")
def messages() -> Messages:
    """A small fleet's readings, run to failure, so that there are alerts, and bad ones among them.

    Each of them gets a verdict.
    """
    return untidy(fleet_messages(simulate(FLEET, seed=11, split="train"), "run-1"))


@pytest.fixture(scope="session")
def new_bench(broker: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> NewBench:
    """Makes installations of the detector with names of their own."""

    def make() -> DetectorBench:
        name = uuid.uuid4().hex[:12]
        return DetectorBench(
            KafkaSettings(bootstrap_servers=broker, topic_prefix=f"fault-{name}", partitions=8),
            RedisSettings.model_validate({"url": valkey, "key_prefix": f"fault:{name}"}),
            Path(tmp_path_factory.mktemp("bench")),
        )

    return make


@pytest.fixture(scope="session")
def undisturbed(new_bench: NewBench, messages: Messages) -> ReplayOutcome:
    """What the fleet comes to when nothing goes wrong."""

    async def replay() -> ReplayOutcome:
        bench = new_bench()
        with bench.running():
            await bench.send(messages)
            await bench.settled()
        return await outcome_of(bench)

    return asyncio.run(replay())


@pytest.fixture
def replay(messages: Messages, undisturbed: ReplayOutcome) -> Replay:
    """The fleet's replay, to be disturbed."""
    return Replay(messages, undisturbed)


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A real InfluxDB engine, which tests may kill and start again."""
    with influx_server(tmp_path_factory.mktemp("influx")) as running:
        yield running
