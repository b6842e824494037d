"""Replays over a connection that breaks, and to a broker that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.replay import ReplayState
from common.settings import KafkaSettings
from deploy.local.programs import broker_command, free_port
from producer.app import ReplayPlan, run_replay
from producer.fleet import Fleet
from producer.pacing import Pace
from producer.simulator.simulate import simulate
from tests.support.engines import START
from tests.support.replays import on_topic, reports, running, wait_for_rows
from tests.support.servers.backends import build, server


class BreakingProxy:
    """Hands bytes to a broker and back, and breaks the connection when told.

    Attributes:
        breaks: How many connections it has broken.
    """

    def __init__(self, port: int, broker_port: int, break_after_bytes: list[int]) -> None:
        self.breaks = 0
        self._port = port
        self._broker_port = broker_port
        self._limits = break_after_bytes
        self._seen = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve until the block ends."""
        listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        async with listener:
            yield

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        broker, forth = await asyncio.open_connection("127.0.0.1", self._broker_port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(client, forth, counted=True))
                group.create_task(self._pass(broker, back, counted=False))
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for writer in (back, forth):
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
            if counted and self._limits:
                self._seen += len(data)
                if self._seen >= self._limits[0]:
                    # the broker has the request, or a part of it; its answer never arrives
                    self._seen = 0
                    self._limits.pop(0)
                    self.breaks += 1
                    raise ConnectionResetError
        raise ConnectionResetError


@pytest.fixture
def proxied_broker(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A broker that tells clients to come through a port that is still free; both ports."""
    port, proxy_port = free_port(), free_port()

    def command() -> list[str]:
        arguments = broker_command(port)
        place = arguments.index("--advertised-listener-url") + 1
        arguments[place] = arguments[place].replace(str(port), str(proxy_port))
        return arguments

    with server(build(command), port, tmp_path / "log"):
        yield port, proxy_port


async def test_order_is_kept_and_nothing_lost_when_connections_break(
    proxied_broker: tuple[int, int],
) -> None:
    """A lost acknowledgement may double a batch (no idempotence here), never reorder or lose it."""
    port, proxy_port = proxied_broker
    settings = KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{proxy_port}", partitions=2, op_timeout_s=10, linger_ms=0
    )
    proxy = BreakingProxy(proxy_port, port, [400_000, 700_000, 1_000_000])
    units = tuple(range(1, 101))
    fleet = Fleet(simulate(100, 3, "test"), units, "broken", START, timedelta(seconds=1))

    async with proxy.listening():
        plan = ReplayPlan(fleet, Pace(None), may_be_there=False, seed=3)
        result = await run_replay(plan, settings, SystemClock(), lambda _: None)
        found = await on_topic(settings, "broken")

    assert proxy.breaks == 3
    assert result.progress.state is ReplayState.DONE
    assert result.progress.sent == fleet.dataset.rows
    for engine in fleet.dataset.engines:
        cycles = found.cycles[fleet.asset_id(engine.unit)]
        first_seen = list(dict.fromkeys(cycles))
        assert first_seen == engine.cycles.tolist()
    assert sum(found.counts.values()) >= fleet.dataset.rows


def test_a_broker_that_goes_away_is_told_with_the_command_that_continues(tmp_path: Path) -> None:
    port = free_port()
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", op_timeout_s=6)
    arguments = ("--dataset", "SIM", "--engines", "1-20", "--speed", "5x", "--run-id", "gone")

    with (
        server(build(lambda: broker_command(port)), port, tmp_path / "log") as broker,
        running(settings, *arguments) as process,
    ):
        wait_for_rows(process, 100)
        broker.kill()
        out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    last = reports(out.splitlines())[-1]
    assert last["state"] == "failed"
    assert "did not acknowledge" in last["error"]
    assert last["sent"] >= 100
    unfinished, command, failed = err.splitlines()
    assert unfinished.startswith("unfinished: run simulated-gone, ")
    assert "--run-id simulated-gone" in command
    assert failed.startswith("failed: The broker did not acknowledge")
