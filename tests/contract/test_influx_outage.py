"""InfluxDB is gone for an hour: the batch waits, nothing more is held, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from common.retry import Backoff
from common.scorestore.influx.store import InfluxScoreStore
from common.scorestore.port import ScoreQuery
from detector.core.policy import InputPolicy
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.metrics import DetectorMetrics
from detector.worker.health import Health
from tests.support.builders import INPUTS, fleets_of, reading
from tests.support.clock import FakeClock
from tests.support.servers.influx import InfluxServer, influx_server
from tests.support.world import ALARM, World

HOUR_S = 3600.0
BACKOFF = Backoff(0.2, 10.0)


@pytest.fixture
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influx_server(tmp_path_factory.mktemp("influx")) as running:
        yield running


class Outage(FakeClock):
    """A clock whose hour passes in no time, and which ends an outage when it has."""

    def __init__(self, mend: Callable[[], object]) -> None:
        super().__init__()
        self._mend: Callable[[], object] | None = mend

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        await super().sleep(seconds)
        if self.elapsed_s >= HOUR_S and self._mend is not None:
            mend, self._mend = self._mend, None
            await asyncio.to_thread(mend)


async def test_an_hour_without_influxdb_costs_no_verdict_and_no_alert(
    influx: InfluxServer,
) -> None:
    world = World()
    readings = [reading(cycle, 643.0, f"engine-{n}") for cycle in range(1, 61) for n in range(5)]
    world.send(readings)
    gone = influx.engine.killed()
    clock = Outage(lambda: gone.__exit__(None, None, None))
    health, metrics = Health(), DetectorMetrics()
    inputs: InputPolicy = INPUTS
    async with InfluxScoreStore(influx.new_bucket()) as scores:
        ports = DetectorPorts(world.states, scores, world.publisher, world.history, clock)
        service = DetectorService(
            fleets_of(world.scorer, inputs, ALARM),
            ports,
            DetectorPolicy(BACKOFF, inputs.follow_after),
            metrics,
            health,
        )
        await service.process(world.fetch({0: (0, 100)}))
        told_before = len(world.publisher.alerts)
        gone.__enter__()
        waiting = asyncio.create_task(service.process(world.fetch({0: (100, 300)})))
        while len(clock.slept_s) < 50:  # noqa: ASYNC110 - the clock has no event for that
            await asyncio.sleep(0.01)

        # back-pressure: the batch is not done, so the stream fetches at most one more
        assert not waiting.done()
        assert "does not answer" in health.problems["write_scores"]
        assert len(world.publisher.alerts) == told_before
        await waiting

        counts = await scores.verdict_counts()
        found = (await scores.query(ScoreQuery(limit=10_000))).records
    assert clock.elapsed_s >= HOUR_S
    assert clock.slept_s[:7] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0]
    assert max(clock.slept_s) == 10.0
    assert sum(counts.values()) == len(readings)
    assert len({(row.asset_id, row.cycle) for row in found}) == len(readings)
    assert health.problems == {}
