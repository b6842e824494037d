"""What has been seen in the field, sent to a real worker on real servers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from redis.asyncio import Redis

from common.links.kafka import ensure_topics, started
from common.records.readings import SensorReading
from common.records.verdicts import Verdict
from common.scorestore.factory import open_score_store
from common.topics import StateKeys
from tests.support.builders import START, sound_reading
from tests.support.detector import DetectorBench

Sent = tuple[int | None, int | None, bytes | None, bytes]
"""Partition, stamp, key, value; none lets the producer choose."""


def reading(
    cycle: int, asset: str = "engine-1", run: str = "run-1", second: int | None = None
) -> SensorReading:
    """A plausible reading, taken at some second whatever its counter says."""
    at = START + timedelta(seconds=cycle if second is None else second)
    return sound_reading(cycle, asset).model_copy(update={"run_id": run, "ts": at})


def plain(item: SensorReading, partition: int | None = None) -> Sent:
    return partition, None, item.asset_id.encode(), item.to_json()


async def put(bench: DetectorBench, messages: Sequence[Sent]) -> None:
    """Put messages on the topic, in order, one at a time where they say where they go."""
    await ensure_topics(bench.kafka)
    producer = AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap_servers, linger_ms=5)
    async with started(producer):
        for partition, stamp, key, value in messages:
            await producer.send(
                bench.topics.readings, value, key=key, partition=partition, timestamp_ms=stamp
            )
        await producer.flush()


async def counts(bench: DetectorBench) -> dict[str, int]:
    async with open_score_store(bench.scores) as store:
        found = await store.verdict_counts()
    return {status.value: count for status, count in found.items() if count}


async def of_runs(bench: DetectorBench) -> Counter[str]:
    return Counter(row.run_id for row in await bench.verdicts())


def spoiled(item: SensorReading, **sensors: Any) -> bytes:
    message = json.loads(item.to_json())
    message["sensors"] |= sensors
    return json.dumps(message).encode()


async def test_a_stamp_in_microseconds_stops_nothing(bench: DetectorBench) -> None:
    stamp = 1_767_225_600_000_000
    key = b"engine-1"
    messages = [plain(reading(1)), (None, stamp, key, b"{not json"), plain(reading(2))]
    messages += [(None, stamp, key, reading(3).to_json())]

    with bench.running():
        await put(bench, messages)
        await bench.wait_for_verdicts(3)
        await bench.wait_for_dead_letters(1)
    letters = await bench.dead_letters()

    assert [letter.reason for letter in letters] == ["malformed_json"]
    assert letters[0].received_at is None
    assert await counts(bench) == {"warming_up": 3}


async def test_sixty_readings_on_two_partitions_get_sixty_verdicts(
    bench: DetectorBench,
) -> None:
    messages = [plain(reading(cycle), cycle % 2) for cycle in range(1, 61)]
    await put(bench, messages)
    worker = bench.start(SURGELINE_DETECTOR__TEST_KILL_AT="scores_written:1")
    await asyncio.to_thread(worker.wait, 60)
    worker = bench.start(SURGELINE_DETECTOR__TEST_KILL_AT="states_written:1")
    await asyncio.to_thread(worker.wait, 60)

    with bench.running():
        await put(bench, [plain(reading(1, "engine-2"), 0), plain(reading(1, "engine-3"), 1)])
        await bench.wait_for_verdicts(62)

    found = await counts(bench)
    assert sum(found.values()) == 62
    assert found["rejected"] == 30
    letters = {(at.partition, at.offset) for at in await bench.dead_letters()}
    assert len(letters) == 30


@pytest.mark.parametrize(
    ("count", "while_running"),
    [
        pytest.param(10, True, id="shorter, a worker runs"),
        pytest.param(40, True, id="longer, a worker runs"),
        pytest.param(25, False, id="as long, no worker runs"),
        pytest.param(40, False, id="longer, no worker runs"),
    ],
)
async def test_a_topic_made_anew_loses_nothing_that_comes_after(
    bench: DetectorBench, count: int, while_running: bool
) -> None:
    await put(bench, [plain(reading(cycle), 0) for cycle in range(1, 26)])
    with bench.running():
        await bench.settled()
        if while_running:
            await make_anew(bench)
            await put(bench, [plain(reading(n, run="run-2"), 0) for n in range(1, count + 1)])
            await bench.wait_for_verdicts(25 + count)
    if not while_running:
        await make_anew(bench)
        await put(bench, [plain(reading(n, run="run-2"), 0) for n in range(1, count + 1)])
        with bench.running():
            await bench.wait_for_verdicts(25 + count)

    assert await of_runs(bench) == {"run-1": 25, "run-2": count}
    assert "deleted and made anew" in bench.log()


async def make_anew(bench: DetectorBench) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.kafka.bootstrap_servers)
    await admin.start()
    await admin.delete_topics([bench.topics.readings])
    await admin.close()
    await ensure_topics(bench.kafka)


async def test_one_foreign_value_in_redis_stops_nobody(bench: DetectorBench) -> None:
    fleet = ["engine-1", "engine-2", "engine-3"]
    await put(bench, [plain(reading(n, asset)) for n in range(1, 21) for asset in fleet])
    with bench.running():
        await bench.settled()
        keys = StateKeys(bench.redis.key_prefix)
        async with Redis.from_url(bench.redis.url.get_secret_value()) as redis:
            await redis.set(keys.asset_state("engine-2", "run-1"), "somebody else's")
        await put(bench, [plain(reading(n, asset)) for n in range(21, 41) for asset in fleet])
        await bench.wait_for_verdicts(120)

    # its ring was rebuilt: the thirtieth reading completes a window, as everybody's
    assert await counts(bench) == {"warming_up": 3 * 29, "scored": 3 * 11}


async def test_a_counter_that_jumped_once_does_not_blind_for_ever(
    bench: DetectorBench,
) -> None:
    readings = [reading(cycle) for cycle in range(1, 41)] + [reading(1_000_000, second=41)]
    readings += [reading(cycle, second=cycle + 1) for cycle in range(41, 101)]
    with bench.running():
        await put(bench, [plain(item) for item in readings])
        await bench.wait_for_verdicts(101)

    found = await counts(bench)
    assert found["late"] == 29  # of 60
    assert (await of_runs(bench)).keys() > {"run-1"}


async def test_a_counter_that_restarted_does_not_blind_for_ever(bench: DetectorBench) -> None:
    readings = [reading(cycle) for cycle in range(1, 101)]
    readings += [reading(cycle, second=100 + cycle) for cycle in range(1, 101)]
    with bench.running():
        await put(bench, [plain(item) for item in readings])
        await bench.wait_for_verdicts(200)

    assert (await counts(bench))["duplicate"] == 29  # of 100
    assert "a run was opened by rule" in bench.log()


async def test_what_the_model_does_not_use_refuses_no_reading_and_digits_are_no_time(
    bench: DetectorBench,
) -> None:
    key = b"engine-1"
    values = [
        spoiled(reading(1), P2=None),
        spoiled(reading(2), P2=float("nan")),
        spoiled(reading(3), epr="a word"),
        spoiled(reading(4), oil_pressure=None),
        reading(5).to_json().replace(b"2026-01-01T00:00:05Z", b"86400"),
    ]
    with bench.running():
        await put(bench, [(None, None, key, value) for value in values])
        await bench.wait_for_verdicts(4)
        await bench.wait_for_dead_letters(1)
    letters = await bench.dead_letters()

    assert await counts(bench) == {"warming_up": 4}
    assert [letter.reason for letter in letters] == ["schema"]
    rows = await bench.verdicts()
    assert {row.status for row in rows} == {Verdict.WARMING_UP}
