"""Every codec and every damaged batch through every reader of ours, on real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from api.adapters.kafka.alert_feed import KafkaAlertFeed
from api.ports import FeedPosition
from common.errors import RejectReason
from common.links.kafka import started
from common.records.alerts import Alert
from common.records.verdicts import Verdict
from producer.adapters.kafka_history import KafkaRunHistory
from tests.support.alerts import make_alert
from tests.support.batches import SPOILT, batch, marker, produce_raw
from tests.support.builders import sound_reading
from tests.support.detector import DetectorBench
from tests.support.lost_states import forget_everything
from tests.support.tools import surgeline
from tests.support.topics import make_anew

CODECS = ("gzip", "snappy", "lz4", "zstd")
KEY = b"engine-1"
PARTITION = 0


async def send_compressed(bench: DetectorBench, codec: str, cycles: Sequence[int]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=bench.kafka.bootstrap_servers, compression_type=codec, linger_ms=50
    )
    async with started(producer):
        for cycle in cycles:
            value = sound_reading(cycle).to_json()
            await producer.send(bench.topics.readings, value, key=KEY, partition=PARTITION)
        await producer.flush()


async def test_all_readers_read_every_codec_past_every_damaged_batch(bench: DetectorBench) -> None:
    server, readings = bench.kafka.bootstrap_servers, bench.topics.readings
    damaged = [spoil(batch([b"x", b"y", b"z"])) for spoil in SPOILT.values()]
    await bench.send([])
    for number, codec in enumerate(CODECS):
        await send_compressed(bench, codec, range(1 + 10 * number, 11 + 10 * number))
        await produce_raw(server, readings, damaged[number], marker(0, 1, committed=True))
    await produce_raw(server, readings, *damaged[4:])

    with bench.running():
        await bench.wait_for_dead_letters(len(damaged))
        await bench.settled()
    letters = await bench.dead_letters()
    listed = await surgeline(bench, "deadletter", "list")
    resumed = await KafkaRunHistory(bench.kafka).of_run(sound_reading(1).run_id)
    await forget_everything(bench)
    with bench.running():
        await send_compressed(bench, "zstd", [41])
        await bench.wait_for_verdicts(41)

    assert [row.cycle for row in await bench.verdicts()] == list(range(1, 42))
    statuses = {row.cycle: row.status for row in await bench.verdicts()}
    assert statuses[41] is Verdict.SCORED, "the states came back from the topic"
    assert len(letters) == len(damaged)
    assert {letter.reason for letter in letters} == {
        RejectReason.DAMAGED_BATCH.value,
        RejectReason.BATCH_TOO_LARGE.value,
    }
    assert all((letter.last_offset or 0) - letter.offset == 2 for letter in letters)
    assert listed.returncode == 0, listed.stderr
    assert "damaged_batch" in listed.stdout
    assert resumed["engine-1"].cycles == frozenset(range(1, 41))
    assert len(await bench.dead_letters()) == len(damaged)


async def test_a_damaged_dead_letter_topic_is_listed_all_the_same(bench: DetectorBench) -> None:
    await bench.send([(KEY, b"garbage")])
    with bench.running():
        await bench.wait_for_dead_letters(1)
    server, topic = bench.kafka.bootstrap_servers, bench.topics.dead_letter
    await produce_raw(server, topic, SPOILT["checksum"](batch([b"x"])))
    await bench.send([(KEY, b"more garbage")])
    with bench.running():
        await bench.wait_for_dead_letters(2)

    listed = await surgeline(bench, "deadletter", "list")

    assert listed.returncode == 0, listed.stderr
    assert ["malformed_json", "2"] in [line.split() for line in listed.stdout.splitlines()]


async def test_the_alert_feed_passes_damage_and_reports_how_far_it_came(
    bench: DetectorBench,
) -> None:
    server, topic = bench.kafka.bootstrap_servers, bench.topics.alerts
    alerts = [make_alert(cycle) for cycle in range(1, 5)]
    bodies = [alert.to_json() for alert in alerts]
    await bench.send([])
    await produce_raw(server, topic, batch(bodies[:2], codec=4))
    await produce_raw(server, topic, *(spoil(batch([b"x"] * 3)) for spoil in SPOILT.values()))
    await produce_raw(server, topic, batch(bodies[2:], codec=3), SPOILT["checksum"](batch([b"x"])))
    end = 2 + 3 * len(SPOILT) + 2 + 1

    async def resume(source: str) -> dict[int, FeedPosition]:
        return {}

    found, reached = [], 0
    batches = KafkaAlertFeed(bench.kafka).batches(resume)
    async for part in batches:
        found += [item.alert for item in part.items]
        reached = part.position.next_offset
        if reached == end:
            break
    await batches.aclose()

    assert found == alerts


@pytest.mark.parametrize("new_alerts", [3, 15], ids=["shorter", "longer"])
async def test_an_alerts_topic_made_anew_is_read_from_its_beginning(
    bench: DetectorBench, new_alerts: int
) -> None:
    server, topic = bench.kafka.bootstrap_servers, bench.topics.alerts
    old = [make_alert(cycle) for cycle in range(1, 11)]
    new = [make_alert(cycle) for cycle in range(100, 100 + new_alerts)]
    stored: dict[int, FeedPosition] = {}
    found: list[Alert] = []

    async def resume(source: str) -> dict[int, FeedPosition]:
        return stored

    async def read_on() -> None:
        """Store what comes until the feed ends, as the api does."""
        batches = KafkaAlertFeed(bench.kafka).batches(resume)
        async with asyncio.timeout(40), aclosing(batches):
            async for part in batches:
                found.extend(item.alert for item in part.items)
                stored[part.partition] = part.position
                if found == old:
                    await make_anew(bench.kafka, topic, partitions=1)
                    await produce_raw(server, topic, batch([alert.to_json() for alert in new]))
                if found[-len(new) :] == new:
                    return

    await bench.send([])
    await produce_raw(server, topic, batch([alert.to_json() for alert in old]))
    while found[-len(new) :] != new:
        await read_on()

    assert {alert.alert_id for alert in found} == {alert.alert_id for alert in old + new}


def peak_rss_bytes(pid: int) -> int:
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def large_batch(first: int, records: int, size: int) -> bytes:
    """A gzipped batch of readings that are too large, by padding that compresses well."""
    builder = DefaultRecordBatchBuilder(2, 1, 0, -1, -1, -1, 1 << 30)
    for number in range(records):
        value = json.loads(sound_reading(first + number).to_json()) | {"pad": "." * size}
        builder.append(number, 1_767_225_600_000, KEY, json.dumps(value).encode(), [])
    return bytes(builder.build())


async def test_thousands_of_large_compressed_readings_take_a_bounded_amount_of_memory(
    bench: DetectorBench,
) -> None:
    await bench.send([])
    for number in range(15):
        await produce_raw(
            bench.kafka.bootstrap_servers,
            bench.topics.readings,
            large_batch(1 + 100 * number, 100, 200_000),
        )

    with bench.running() as worker:
        await bench.settled(timeout_s=150)  # letters are read once: there are 400 MB of them
        peak = peak_rss_bytes(worker.pid)

    assert peak < 600e6
    assert await bench.verdict_total() == 1500
    letters = await bench.dead_letters()
    assert {letter.reason for letter in letters} == {RejectReason.TOO_LARGE.value}
    assert len({letter.offset for letter in letters}) == 1500
