"""Valkey freezes, dies, takes no writes: the worker waits, says why, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from common.settings import RedisSettings
from deploy.local.programs import free_port, valkey_command
from tests.support.detector import DetectorBench
from tests.support.outcomes import assert_same_outcome, outcome_of
from tests.support.servers.backends import build, wait_until
from tests.support.servers.outages import A_WHILE_S, IMPATIENT, Outage, Replay
from tests.support.servers.own_server import OwnServer

WRITES = ("claim", "intend", "write_states")
STATES = ("read_states", *WRITES)
"""The steps of the protocol that need Redis; whichever is next when it breaks says so."""


@pytest.fixture
def own_valkey(tmp_path: Path, bench: DetectorBench) -> Iterator[OwnServer]:
    """A Valkey of this test's own, with nothing on disk, to which the bench's states go."""
    port = free_port()
    folder = tmp_path / "valkey"
    folder.mkdir()
    command = build(lambda: valkey_command(port, folder))
    bench.redis = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0"})
    with OwnServer(command, port, folder / "log").running() as valkey:
        yield valkey


@contextmanager
def read_only(valkey: OwnServer) -> Iterator[None]:
    """Make it the replica of a server that does not exist, as a failover gone wrong may."""
    with Redis(port=valkey.port) as admin:
        admin.replicaof("127.0.0.1", str(free_port()))
        yield
        admin.replicaof("NO", "ONE")


async def test_a_frozen_valkey_is_waited_for(
    bench: DetectorBench, own_valkey: OwnServer, replay: Replay
) -> None:
    await replay.survives(bench, Outage(own_valkey.frozen(), STATES, "Timeout"))


async def test_a_killed_valkey_is_waited_for_and_its_states_are_rebuilt(
    bench: DetectorBench, own_valkey: OwnServer, replay: Replay
) -> None:
    await replay.survives(
        bench, Outage(own_valkey.killed(), STATES, "Connect call failed", A_WHILE_S)
    )

    assert "states are rebuilt from the topic" in bench.log()


async def test_a_read_only_valkey_is_waited_for(
    bench: DetectorBench, own_valkey: OwnServer, replay: Replay
) -> None:
    await replay.survives(bench, Outage(read_only(own_valkey), WRITES, "read only"))


async def test_a_worker_that_waits_for_a_backend_can_still_be_stopped(
    bench: DetectorBench, own_valkey: OwnServer, replay: Replay
) -> None:
    half = len(replay.messages) // 2
    frozen = ExitStack()
    with frozen, bench.running(SURGELINE_DETECTOR__STOP_GRACE_S="1", **IMPATIENT):
        await bench.send(replay.messages[:half])
        await bench.wait_for_verdicts(half // 2)
        frozen.enter_context(own_valkey.frozen())  # and still is when the worker is to stop
        await bench.send(replay.messages[half:])
        wait_until(lambda: bool(bench.problems()), "the worker waits")
    with bench.running(**IMPATIENT):
        await bench.settled()

    assert_same_outcome(await outcome_of(bench), replay.undisturbed)
