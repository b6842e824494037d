"""/ready of a worker tells the truth: in a rebalance, on standby, with a stuck consumer."""

from __future__ import annotations

import asyncio
from typing import Any

from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.servers.backends import wait_until
from tests.support.workers import Worker, workers_of


async def until_it_says(worker: Worker, part: str, words: str) -> dict[str, Any]:
    """Return its status once that part has those words."""
    found: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(60):
            while True:
                found = await asyncio.to_thread(worker.status)
                if words in (found or {}).get("problems", {}).get(part, ""):
                    assert found is not None
                    return found
                await asyncio.sleep(0.1)
    except TimeoutError as exc:
        raise TimeoutError(f"it says {found}; {worker.log()[-2000:]}") from exc


async def test_a_rebalance_that_does_not_end_is_not_ready(bench: DetectorBench) -> None:
    await ensure_topics(bench.kafka)
    with workers_of(bench) as workers:
        # the leader of the group, which is to share out the partitions, and never does
        stuck = workers.start("joining_hangs", SURGELINE_DETECTOR__SESSION_TIMEOUT_S="8")
        await asyncio.to_thread(stuck.wait_said, "goes no further")
        worker = workers.start()

        found = await until_it_says(worker, "group", "a rebalance has gone on for 3 s")
        assert found["ready"] is False
        assert found["partitions"] is None
        stuck.process.kill()
        await asyncio.to_thread(worker.wait_ready)
        wait_until(
            lambda: (worker.status() or {}).get("partitions") == list(range(8)),
            "the worker has all partitions",
        )
        assert await asyncio.to_thread(worker.stop) == 0


async def test_a_worker_more_than_partitions_stands_by(
    bench: DetectorBench, kafka_settings: KafkaSettings
) -> None:
    bench.kafka = kafka_settings.model_copy(update={"partitions": 1})
    with workers_of(bench) as workers:
        started = [workers.start(), workers.start()]

        found: list[dict[str, Any]] = []

        def shared() -> bool:
            found[:] = [worker.status() or {} for worker in started]
            assert all(worker.process.poll() is None for worker in started)
            return sorted(str(status.get("partitions")) for status in found) == ["[0]", "[]"]

        await asyncio.to_thread(wait_until, shared, "one has the partition, the other none")
        assert [status["ready"] for status in found if status["standby"]] == [True]


async def test_a_consumer_thread_that_stands_still_is_not_ready(bench: DetectorBench) -> None:
    messages = fleet_messages(simulate(2, seed=3, split="train"), "run-1")
    with workers_of(bench) as workers:
        worker = workers.start("consumer_thread_stalls")
        await asyncio.to_thread(worker.wait_ready)
        await bench.send(messages)

        found = await until_it_says(worker, "consumer", "its thread has not answered")
        assert found["ready"] is False
        await bench.wait_for_verdicts(len(messages))
        await asyncio.to_thread(worker.wait_ready)
