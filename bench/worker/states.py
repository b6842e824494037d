"""What one batch costs at the state store: a single server beside a cluster of three.

    python -m bench.worker.states [BATCHES]

Starts Valkey twice, once alone and once as a cluster, and takes batches through what the protocol
asks of the store: read, intend, write. Prints processor time, of the worker and of the servers, and
what the ledger costs, as a ratio, since machines differ and are noisy.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from redis import Redis

from common.settings import RedisSettings
from deploy.local.programs import free_port, valkey_command
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.intent import NextIntent
from detector.core.pipeline import AssetRun, NextState
from detector.core.state.asset import AssetState, Fence, fresh_state
from detector.core.state.progress import NextProgress, Progress
from tests.support.builders import MeanScorer, fleet_of
from tests.support.servers.backends import server
from tests.support.servers.cluster import valkey_cluster

SIZES: Final = (10, 100, 1000)
ROWS: Final = 30


async def batches_ms(settings: RedisSettings, assets: int, batches: int, ledger: bool) -> float:
    """Return the worker's processor time for a batch of so many assets on one partition, ms."""
    keys: Sequence[AssetRun] = [(f"engine-{number}", "run-1") for number in range(assets)]
    spoken = {0: keys} if ledger else {}
    blank = fresh_state(fleet_of(MeanScorer()))
    ring = np.ones((ROWS, blank.ring.shape[1]), np.float32)
    partition = 0 if ledger else 1  # of states at home elsewhere a ledger says nothing
    took = 0.0
    async with RedisStateStore(settings) as store:
        known: Progress | None = None
        for number in range(batches):
            states = {key: _next(blank, ring, partition, number) for key in keys}
            begin = time.process_time()
            await store.read(keys, [0], spoken)
            after = Progress(number + 1)
            await store.intend({0: NextIntent(None, known)})
            assert await store.write(states, {0: NextProgress(after, known)}) == []
            known = after
            took += time.process_time() - begin
    return took / batches * 1000


def _next(blank: AssetState, ring: NDArray[np.float32], partition: int, number: int) -> NextState:
    before = Fence(partition, number) if number else Fence()
    return NextState(replace(blank, ring=ring, fence=Fence(partition, number + 1)), before)


def servers_ms(ports: Sequence[int]) -> float:
    """Return the processor time servers have used so far, ms."""
    found = 0.0
    for port in ports:
        with Redis(port=port) as client:
            used: dict[str, float] = client.info("cpu")
        found += used["used_cpu_user"] + used["used_cpu_sys"]
    return found * 1000


def report(
    name: str, settings: Callable[[str], RedisSettings], ports: Sequence[int], batches: int
) -> None:
    """Measure and print one kind of store."""
    for assets in SIZES:
        worker, servers = [], []
        for ledger in (False, True):
            before = servers_ms(ports)
            own = settings(f"bench:{assets}:{ledger}")
            worker.append(asyncio.run(batches_ms(own, assets, batches, ledger)))
            servers.append((servers_ms(ports) - before) / batches)
        print(
            f"{name:<8}{assets:>6} assets: worker {worker[1]:>6.2f} ms a batch, servers "
            f"{servers[1]:>6.2f} ms; with the ledger : without = {worker[1] / worker[0]:.2f} and "
            f"{servers[1] / servers[0]:.2f}"
        )


def main() -> None:
    """Measure and print."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        url = f"redis://127.0.0.1:{port}/0"
        with server(valkey_command(port, folder), port, folder / "log"):
            report(
                "single",
                lambda prefix: RedisSettings.model_validate({"url": url, "key_prefix": prefix}),
                [port],
                batches,
            )
        with valkey_cluster(folder / "cluster", replicas=False) as cluster:
            report("cluster", cluster.settings, [node.port for node in cluster.nodes], batches)


if __name__ == "__main__":
    main()
