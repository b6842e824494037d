"""Clients that are not ours, by librdkafka: what they send is answered, what we send they read.

The broker is the local one unless ``SURGELINE_TEST_KAFKA`` names another.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from common.errors import RejectReason
from common.links.kafka import ensure_topics, read_to_end
from common.records.alerts import Alert
from common.records.letters import DeadLetter
from common.records.verdicts import Verdict
from common.settings import InputSettings, KafkaSettings, RedisSettings
from producer.adapters.kafka_publisher import KafkaReadingPublisher
from producer.fleet import Message
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages, untidy
from tests.support.foreign import Delivered, ForeignProducer, Sent, read_all, read_in_group
from tests.support.outcomes import (
    ReplayOutcome,
    assert_same_alert,
    assert_same_outcome,
    assert_same_verdict,
    outcome_of,
)

Messages = list[tuple[bytes, bytes]]
NewBench = Callable[[], DetectorBench]

KEYED = ("murmur2_random", "consistent_random", "fnv1a_random")
"""Partitioners that keep a key together: Java's and ours; librdkafka's default; Sarama's."""

MANNERS: tuple[dict[str, str | int | bool], ...] = (
    {"compression.type": "none", "batch.num.messages": 20},
    {"compression.type": "gzip", "linger.ms": 200, "enable.idempotence": True},
    {"compression.type": "snappy", "linger.ms": 20},
    {"compression.type": "lz4", "linger.ms": 20, "enable.idempotence": True},
    {"compression.type": "zstd", "linger.ms": 0, "batch.num.messages": 100},
)
"""How a part of the fleet is sent: every codec, large and small batches, with and without
librdkafka's idempotence."""

FOLLOW_AFTER = InputSettings().follow_after


@pytest.fixture(scope="module")
def new_bench(broker: str, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> NewBench:
    """Makes installations of the detector with names of their own."""

    def make() -> DetectorBench:
        name = uuid.uuid4().hex[:12]
        return DetectorBench(
            KafkaSettings(bootstrap_servers=broker, topic_prefix=f"foreign-{name}", partitions=8),
            RedisSettings.model_validate({"url": valkey, "key_prefix": f"foreign:{name}"}),
            Path(tmp_path_factory.mktemp("bench")),
        )

    return make


@pytest.fixture(scope="module")
def messages() -> Messages:
    """A small fleet's readings with bad ones among them; each gets its verdict."""
    return untidy(fleet_messages(simulate(6, seed=11, split="train"), "run-1"))


@pytest.fixture(scope="module")
def ours(new_bench: NewBench, messages: Messages) -> tuple[DetectorBench, ReplayOutcome]:
    """What the fleet comes to when our own producer sends it, and where that is."""

    async def replay(bench: DetectorBench) -> ReplayOutcome:
        await ensure_topics(bench.kafka)
        with bench.running():
            async with KafkaReadingPublisher(bench.kafka) as publisher:
                await publisher.publish([Message(key, value) for key, value in messages])
            await bench.settled()
        return await outcome_of(bench)

    bench = new_bench()
    return bench, asyncio.run(replay(bench))


def in_parts(messages: Messages) -> list[Messages]:
    """One part for each manner of sending."""
    size = len(messages) // len(MANNERS) + 1
    return [messages[at : at + size] for at in range(0, len(messages), size)]


def without_places(outcome: ReplayOutcome) -> list[str]:
    """The dead letters, whatever partition and offset their messages had."""
    letters = [
        letter.model_copy(update={"partition": 0, "offset": 0})
        for letter in outcome.dead_letters.values()
    ]
    return sorted(letter.model_dump_json() for letter in letters)


@pytest.mark.parametrize("partitioner", KEYED)
async def test_what_another_client_sends_comes_to_the_same_as_what_ours_sends(
    new_bench: NewBench,
    messages: Messages,
    ours: tuple[DetectorBench, ReplayOutcome],
    partitioner: str,
) -> None:
    bench, (_, expected) = new_bench(), ours
    await ensure_topics(bench.kafka)
    homes: dict[bytes, set[int]] = defaultdict(set)

    with bench.running():
        for manner, part in zip(MANNERS, in_parts(messages), strict=True):
            conf = {"partitioner": partitioner, **manner}
            headers = [("trace", b"\x00\xff"), ("trace", b""), ("größe", "ß".encode())]
            producer = ForeignProducer(bench.kafka, bench.topics.readings, conf, headers)
            for at in await asyncio.to_thread(producer.send, part):
                homes[part[at.number][0]].add(at.partition)
        await bench.settled()

    came = await outcome_of(bench)
    assert {len(found) for found in homes.values()} == {1}  # it did keep each key together
    assert sum(came.counts.values()) == len(messages)
    assert came.counts == expected.counts
    assert len(came.verdicts) == len(expected.verdicts)
    for verdict, other in zip(came.verdicts, expected.verdicts, strict=True):
        assert_same_verdict(verdict, other)
    assert came.alerts.keys() == expected.alerts.keys() != set()
    for alert_id, alert in came.alerts.items():
        assert_same_alert(alert, expected.alerts[alert_id])
    assert without_places(came) == without_places(expected) != []
    if partitioner == "murmur2_random":  # ours: so each message stands at the very same place
        assert_same_outcome(came, expected)


async def test_an_asset_spread_over_partitions_is_answered_where_it_is_at_home(
    bench: DetectorBench,
) -> None:
    bench.kafka = bench.kafka.model_copy(update={"partitions": 2})
    await ensure_topics(bench.kafka)
    sound = fleet_messages(simulate(4, seed=11, split="train"), "run-1")
    producer = ForeignProducer(bench.kafka, bench.topics.readings, {"partitioner": "random"})

    with bench.running(SURGELINE_DETECTOR__INPUT__FOLLOW_AFTER="0"):
        delivered = await asyncio.to_thread(producer.send, sound)
        await bench.settled()

    letters = await bench.dead_letters()
    assert {letter.reason for letter in letters} == {RejectReason.WRONG_PARTITION}
    elsewhere = {(letter.partition, letter.offset) for letter in letters}
    assert len(elsewhere) == len(letters)
    for asset, places in by_asset(sound, delivered).items():
        strange = {at.partition for at in places if (at.partition, at.offset) in elsewhere}
        at_home = {at.partition for at in places if (at.partition, at.offset) not in elsewhere}
        assert (len(strange), len(at_home)) == (1, 1), asset
        assert strange != at_home
    verdicts = await bench.verdicts()
    assert len(verdicts) == len({(one.asset_id, one.cycle) for one in verdicts})
    assert len(verdicts) == len(sound) - len(letters)
    assert await bench.verdict_total() == len(sound)


async def test_a_fleet_whose_producer_changes_partitioner_is_followed(
    bench: DetectorBench,
) -> None:
    await ensure_topics(bench.kafka)
    sound = fleet_messages(simulate(4, seed=11, split="train"), "run-1")
    half = len(sound) // 2

    with bench.running(SURGELINE_DETECTOR__MAX_BATCH_ROWS="20"):  # it is followed between batches
        places: list[dict[bytes, list[Delivered]]] = []
        for partitioner, part in (("consistent", sound[:half]), ("murmur2", sound[half:])):
            producer = ForeignProducer(
                bench.kafka, bench.topics.readings, {"partitioner": partitioner}
            )
            places.append(by_asset(part, await asyncio.to_thread(producer.send, part)))
            await bench.settled()

    first, then = places
    moved = {asset for asset in first if first[asset][0].partition != then[asset][0].partition}
    assert moved, "no asset moved: nothing is shown"
    letters = Counter(key_of(letter) for letter in await bench.dead_letters())
    assert letters.keys() == moved
    answered = Counter(one.asset_id.encode() for one in await bench.verdicts())
    for asset, letters_of_it in letters.items():
        assert FOLLOW_AFTER <= letters_of_it < len(then[asset])
        assert answered[asset] + letters_of_it == len(first[asset]) + len(then[asset])
    gaps = [one.asset_id.encode() for one in await bench.verdicts() if one.status is Verdict.GAP]
    assert sorted(gaps) == sorted(moved)
    assert await bench.verdict_total() == len(sound)


async def test_keys_values_and_headers_of_any_kind_are_answered(bench: DetectorBench) -> None:
    await ensure_topics(bench.kafka)
    (key, first), (_, second), (_, third), *_ = fleet_messages(
        simulate(1, seed=11, split="train"), "run-1"
    )
    sent: list[Sent] = [
        (key, first),
        (key.decode(), second),  # text is sent as its UTF-8
        (key, None),
        (None, third),
        (b"\xff\xfe", third),
        (b"", third),
        (key, third),
    ]
    headers = [("", b""), ("h" * 2000, b"\x00" * 20_000)]
    producer = ForeignProducer(
        bench.kafka, bench.topics.readings, {"partitioner": "murmur2_random"}, headers
    )

    with bench.running():
        await asyncio.to_thread(producer.send, sent)
        await bench.settled()

    reasons = Counter(letter.reason for letter in await bench.dead_letters())
    assert reasons == {RejectReason.EMPTY: 1, RejectReason.KEY_MISMATCH: 3}
    assert {one.cycle for one in await bench.verdicts()} == {1, 2, 3}
    assert await bench.verdict_total() == 3 + 3  # a tombstone says nobody's cycle


async def test_another_client_reads_alerts_and_dead_letters_as_they_are(
    ours: tuple[DetectorBench, ReplayOutcome],
) -> None:
    bench, expected = ours
    for topic in (bench.topics.alerts, bench.topics.evidence, bench.topics.dead_letter):
        came = await asyncio.to_thread(read_all, bench.kafka, topic)
        mine = [record async for record in read_to_end(bench.kafka, topic)]
        assert [(one.offset(), one.key(), one.value()) for one in came] == [
            (record.offset, record.key, record.value) for record in mine
        ]

    came = await asyncio.to_thread(read_all, bench.kafka, bench.topics.alerts)
    alerts = [Alert.model_validate_json(one.value() or b"") for one in came]
    assert {alert.alert_id for alert in alerts} == expected.alerts.keys()
    assert [one.key() for one in came] == [alert.asset_id.encode() for alert in alerts]


async def test_a_foreign_subscriber_that_comes_back_goes_on_where_it_was(
    ours: tuple[DetectorBench, ReplayOutcome],
) -> None:
    bench, _ = ours
    topic, group = bench.topics.alerts, f"subscribers-{uuid.uuid4().hex[:8]}"
    everything = [record.value async for record in read_to_end(bench.kafka, topic)]
    half = len(everything) // 2

    first = await asyncio.to_thread(read_in_group, bench.kafka, topic, group, half)
    rest = await asyncio.to_thread(read_in_group, bench.kafka, topic, group, len(everything) - half)

    assert half
    assert [one.value() for one in first + rest] == everything


def by_asset(messages: Messages, delivered: Sequence[Delivered]) -> dict[bytes, list[Delivered]]:
    """Where each asset's messages went."""
    found: dict[bytes, list[Delivered]] = defaultdict(list)
    for at in delivered:
        found[messages[at.number][0]].append(at)
    return found


def key_of(letter: DeadLetter) -> bytes:
    """The key of the message that a letter holds."""
    assert letter.reason == RejectReason.WRONG_PARTITION
    assert letter.original_key is not None
    return base64.b64decode(letter.original_key)
