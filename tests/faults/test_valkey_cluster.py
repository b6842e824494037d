"""States in a Valkey cluster: workers are killed, masters too, and nobody sees it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from common.links.redis_link import IS_CLUSTER
from tests.support.detector import DetectorBench
from tests.support.kills import QUICK, SMALL_BATCHES, die_at_each
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import wait_until
from tests.support.servers.cluster import Cluster, valkey_cluster
from tests.support.servers.outages import IMPATIENT, Outage, Replay

Messages = list[tuple[bytes, bytes]]

STATES = ("read_states", "claim", "intend", "write_states", "rebuild")
TAKEN_BACK = "states are lost, or older than they were"
REBUILT = "states are rebuilt from the topic"


@pytest.fixture
def replicated(tmp_path: Path, bench: DetectorBench) -> Iterator[Cluster]:
    """A cluster of this test's own, each master with a replica; the bench's states are there."""
    with valkey_cluster(tmp_path / "cluster", replicas=True) as cluster:
        bench.redis = cluster.settings()
        yield cluster


@pytest.fixture
def sharded(tmp_path: Path, bench: DetectorBench) -> Iterator[Cluster]:
    """A cluster of this test's own without replicas; the bench's states are there."""
    with valkey_cluster(tmp_path / "cluster", replicas=False) as cluster:
        bench.redis = cluster.settings()
        yield cluster


@pytest.mark.timeout(600)
async def test_kills_of_workers_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench,
    valkey_nodes: Cluster,
    messages: Messages,
    undisturbed: ReplayOutcome,
) -> None:
    bench.redis = valkey_nodes.settings(f"fault:{uuid.uuid4().hex[:12]}")

    await die_at_each(bench, messages, QUICK, QUICK, random.Random(0))

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_failover_is_waited_for(
    bench: DetectorBench, replicated: Cluster, replay: Replay
) -> None:
    part = len(replay.messages) // 4
    with bench.running(**IMPATIENT):
        for number in range(3):
            await bench.send(replay.messages[number * part : (number + 1) * part])
            await bench.wait_for_verdicts(number * part + part // 2)
            with replicated.lost_master(number):
                wait_until(lambda: not bench.problems(), "the worker goes on", 60.0)
        await bench.send(replay.messages[3 * part :])
        await bench.settled()

    assert_same_outcome(await outcome_of(bench), replay.undisturbed)


@contextmanager
def lagging(cluster: Cluster, number: int) -> Iterator[None]:
    """Fail over to a replica that had stood still when the block began: all since then is lost."""
    master, replica = cluster.masters[number], cluster.replicas[number]
    replica.may_take_over()
    with ExitStack() as dead:
        with replica.server.frozen():
            assert master.ask("CLIENT KILL", "TYPE", "replica") == 1  # or the line would hold it
            yield
            dead.enter_context(master.server.killed())
        wait_until(lambda: replica.role() == "master", "a replica has taken over", 60.0)
        cluster.wait_well(master)
    cluster.wait_well()


async def test_what_a_replica_had_not_heard_is_rebuilt(
    bench: DetectorBench, replicated: Cluster, replay: Replay
) -> None:
    part = len(replay.messages) // 4
    with bench.running(**IMPATIENT):
        await bench.send(replay.messages[:part])
        await bench.settled()
        for number in range(3):
            with lagging(replicated, number):
                begin, end = (number + 1) * part, (number + 2) * part
                await bench.send(replay.messages[begin : end if number < 2 else None])
                await bench.wait_for_verdicts(begin + part // 2)
        await bench.settled()

    assert TAKEN_BACK in bench.log()
    assert REBUILT in bench.log()
    assert_same_outcome(await outcome_of(bench), replay.undisturbed)


async def test_a_lost_shard_is_waited_for_and_comes_back_empty(
    bench: DetectorBench, sharded: Cluster, replay: Replay
) -> None:
    await replay.survives(bench, *(Outage(sharded.lost_shard(n), STATES) for n in range(3)))

    waits = [line for line in bench.log().splitlines() if "consumption waits" in line]
    assert waits
    assert all("Redis: could not " in line and "EVAL" not in line for line in waits)


async def test_a_worker_that_died_without_a_shard_has_a_successor_that_serves(
    bench: DetectorBench, sharded: Cluster, replay: Replay
) -> None:
    half = len(replay.messages) // 2
    with bench.running(**SMALL_BATCHES):
        await bench.send(replay.messages[:half])
        await bench.settled()
    await bench.send(replay.messages[half:])

    with sharded.lost_shard(0):
        process = bench.start(**IMPATIENT)
        wait_until(lambda: STATES[0] in _problems(bench), "it says that it waits", 60.0)
        process.kill()
        process.wait()
    with bench.running(**IMPATIENT):
        await bench.settled()

    # all was stored when the shard died: partitions whose records were there, and states of
    # partitions whose records were elsewhere
    assert REBUILT in bench.log()
    assert TAKEN_BACK in bench.log()
    assert_same_outcome(await outcome_of(bench), replay.undisturbed)


def test_a_worker_told_of_no_cluster_ends_with_one_line(
    bench: DetectorBench, valkey_nodes: Cluster
) -> None:
    clustered = valkey_nodes.settings()
    bench.redis = clustered.model_copy(update={"cluster": False, "cluster_nodes": ""})

    process = bench.start()

    assert process.wait(60) == 2
    assert f"why='{IS_CLUSTER}'" in bench.log().rstrip().splitlines()[-1]
    assert "Traceback" not in bench.log()


def _problems(bench: DetectorBench) -> dict[str, str]:
    try:
        return bench.problems()
    except OSError:  # it has no status page yet
        return {}
