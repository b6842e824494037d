"""What the api says of the detector's group, on the real broker and real workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from api import progress
from api.adapters.kafka.group_probe import KafkaGroupProbe
from common.clock import SystemClock
from common.errors import BackendUnavailableError, NotKnownError
from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from deploy.local.programs import free_port
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.freezing import freeze
from tests.support.workers import workers_of


@pytest.fixture
async def probe(
    bench: DetectorBench, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KafkaGroupProbe]:
    monkeypatch.setattr(progress, "STANDS_STILL_S", 4.0)  # a test need not wait as long as people
    found = KafkaGroupProbe(bench.kafka, f"{bench.kafka.topic_prefix}-detector", SystemClock())
    yield found
    await found.close()


async def said(probe: KafkaGroupProbe) -> str:
    """What it says is wrong, or nothing."""
    try:
        await probe.ping()
    except BackendUnavailableError as exc:
        return str(exc)
    return ""


async def until_said(probe: KafkaGroupProbe, *words: str) -> str:
    """Ask until it says all of that; no words: until nothing is wrong."""
    found = ""
    try:
        async with asyncio.timeout(60):
            while True:
                found = await said(probe)
                if all(word in found for word in words) and bool(found) == bool(words):
                    return found
                await asyncio.sleep(0.2)
    except TimeoutError as exc:
        raise TimeoutError(f"it says {found!r}") from exc


async def test_nobody_then_a_worker_then_one_that_is_frozen(
    bench: DetectorBench, probe: KafkaGroupProbe
) -> None:
    messages = fleet_messages(simulate(3, seed=3, split="train"), "run-1")
    half = len(messages) // 2
    await ensure_topics(bench.kafka)
    assert "no worker is in the group" in await until_said(probe, "no worker")

    with workers_of(bench) as workers:
        worker = workers.start()
        await asyncio.to_thread(worker.wait_ready)
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half)
        await until_said(probe)

        freeze(worker.process.pid)
        await bench.send(messages[half:])
        found = await until_said(probe, "stands still at offset", " behind, for ")
        assert "partition" in found

        worker.process.send_signal(signal.SIGCONT)
        await bench.wait_for_verdicts(len(messages))
        await until_said(probe)


async def test_a_group_whose_rebalance_does_not_end(
    bench: DetectorBench, probe: KafkaGroupProbe
) -> None:
    await ensure_topics(bench.kafka)
    with workers_of(bench) as workers:
        stuck = workers.start("joining_hangs", SURGELINE_DETECTOR__SESSION_TIMEOUT_S="20")
        await asyncio.to_thread(stuck.wait_said, "goes no further")

        first = await until_said(probe, "the group of 1 has been sharing out its partitions for ")
        async with asyncio.timeout(60):
            while await said(probe) == first:  # noqa: ASYNC110 - the broker is asked
                await asyncio.sleep(0.2)
        assert "has been sharing out its partitions for " in await said(probe)


async def test_asking_makes_no_topic_and_says_that_there_is_none(
    bench: DetectorBench, probe: KafkaGroupProbe
) -> None:
    assert "unknown" in await said(probe)
    assert "topic" in await said(probe)

    await ensure_topics(bench.kafka)  # makes it with 8 partitions: nobody had made it before
    await until_said(probe, "no worker is in the group")


async def test_a_broker_that_does_not_answer_is_unknown_and_not_a_stop() -> None:
    nowhere = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", op_timeout_s=2)
    probe = KafkaGroupProbe(nowhere, "group", SystemClock())

    assert "unknown: 127.0.0.1" in await said(probe)
    with pytest.raises(NotKnownError):
        await probe.ping()
    await probe.close()
