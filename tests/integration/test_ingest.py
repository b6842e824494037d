"""``surgeline ingest`` on a real broker: nothing lost, order kept per asset, whatever kills it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.clock import SystemClock
from common.errors import BackendUnavailableError
from common.links.kafka import make_producer, read_to_end, started
from common.metering.names import OF_INGEST
from common.records.verdicts import SourcePosition
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import broker_command, free_port
from detector.core.reading.decoding import decode
from detector.core.reading.source import SourceRecord
from producer.adapters import kafka_source
from tests.support import forked
from tests.support.builders import MeanScorer, fleets_of
from tests.support.own_pumps import PUMP, PUMP_TOML, START_S
from tests.support.replays import environment
from tests.support.servers.backends import build, server
from tests.support.topics import make

MAP = """
fleet = "default"
asset = "meta.device"
time = "ts"

[channels]
"Flow Rate" = "data.flow"
Pressure = { path = "data.pa", factor = 1e-5 }
"Motor Temperature" = "/data/temp [C]"
"""
ROWS = 1500
PUMPS = ("P 1", "P 2")


def theirs(asset: str, row: int) -> bytes:
    document = {
        "meta": {"device": asset},
        "ts": (START_S + row) * 1000,
        "data": {"flow": f"{100 + row % 7}", "pa": 400_000, "temp [C]": 70.5},
    }
    return json.dumps(document).encode()


@pytest.fixture
def topic() -> str:
    return f"plant-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def options(topic: str, tmp_path: Path) -> list[str]:
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    (tmp_path / "pump.toml").write_text(PUMP_TOML, encoding="utf-8")
    files = ["--map", str(tmp_path / "map.toml"), "--machine", str(tmp_path / "pump.toml")]
    return ["ingest", *files, "--topic", topic]


async def fill(kafka: KafkaSettings, topic: str, partitions: Sequence[Sequence[bytes]]) -> None:
    await make(kafka, topic, len(partitions))
    async with started(make_producer(kafka)) as producer:
        for number, values in enumerate(partitions):
            for value in values:
                await producer.send(topic, value, partition=number)
        await producer.flush()


@contextmanager
def running(kafka: KafkaSettings, options: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "producer", *options, "--progress", "json"],
        env=environment(kafka),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_nothing_is_behind(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        report: dict[str, Any] = json.loads(line)
        if report["behind"] == 0 and report["messages"]:
            return report
    raise AssertionError(process.communicate()[1])


def run(
    kafka: KafkaSettings, options: list[str], *program: str
) -> subprocess.CompletedProcess[str]:
    return forked.run([*(program or ("producer",)), *options], environment(kafka))


async def ticks_on_topic(kafka: KafkaSettings) -> dict[str, list[int]]:
    """The positions of each asset as a worker derives them, in the order of the topic."""
    fleets = fleets_of(MeanScorer(machine=PUMP))
    found: dict[str, list[int]] = {}
    async for record in read_to_end(kafka, Topics(kafka.topic_prefix).readings):
        position = SourcePosition(record.topic, record.partition, record.offset)
        reading = decode(SourceRecord(position, 0, record.key, record.value), fleets)
        found.setdefault(reading.asset_id, []).append(reading.cycle)
    return found


async def test_nothing_is_lost_when_it_is_killed_between_sending_and_committing(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    rows = [[theirs(asset, row) for row in range(ROWS)] for asset in PUMPS]
    rows[1].insert(700, b"not JSON")
    await fill(kafka_settings, topic, rows)

    killed = run(kafka_settings, options, "tests.support.killed_ingest", "2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = {asset: len(ticks) for asset, ticks in (await ticks_on_topic(kafka_settings)).items()}
    with running(kafka_settings, options) as process:
        report = until_nothing_is_behind(process)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    assert "stopped: " in told
    expected = list(range(START_S, START_S + ROWS))
    found = await ticks_on_topic(kafka_settings)
    assert set(found) == {"P-1", "P-2"}
    for ticks in found.values():
        assert list(dict.fromkeys(ticks)) == expected  # none lost; a new one never out of order
    repeated = sum(map(len, found.values())) - 2 * ROWS
    assert 0 < repeated < sum(before.values())  # what was committed did not come again
    # which partition was committed, and so which process met the message that is none, is open
    refused = sum(report["refused"].values())
    assert refused in (0, 1)
    assert report["readings"] == 2 * ROWS - (sum(before.values()) - repeated)
    assert report["messages"] == report["readings"] + refused


async def test_what_is_committed_is_not_sent_again(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    await fill(kafka_settings, topic, [[theirs("P 1", row) for row in range(10)]])
    with running(kafka_settings, options) as process:
        until_nothing_is_behind(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    async with started(make_producer(kafka_settings)) as producer:
        await producer.send_and_wait(topic, theirs("P 1", 10), partition=0)
    with running(kafka_settings, options) as process:
        report = until_nothing_is_behind(process)

    assert report["messages"] == 1
    assert await ticks_on_topic(kafka_settings) == {"P-1": list(range(START_S, START_S + 11))}


async def test_a_dry_run_shows_before_and_after_and_touches_nothing(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    rows = [theirs("P 1", 0), b'{"meta": {"device": "\x1b[2J"}}', theirs("P 1", 1)]
    await fill(kafka_settings, topic, [rows])

    for _ in range(2):
        shown = run(kafka_settings, [*options, "--dry-run"])

        assert shown.returncode == 0, shown.stderr
        assert '  before  {"meta": {"device": "P 1"}' in shown.stdout
        assert "  after   asset P-1, fleet default, run only, 2023-11-14T22:13:20Z" in shown.stdout
        assert "channel Pressure = 4\n" in shown.stdout
        assert "refused: " in shown.stdout
        assert "\x1b" not in shown.stdout
        assert "3 messages taken, 2 readings of 1 asset would be sent, 1 refused" in shown.stdout
    ours = Topics(kafka_settings.topic_prefix).readings
    own = run(kafka_settings, [*options[:-1], ours, "--dry-run"])
    assert own.returncode == 2
    assert "Surgeline's own" in own.stderr


async def test_a_dry_run_of_nothing_says_so(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    absent = run(kafka_settings, [*options, "--dry-run"])
    await fill(kafka_settings, topic, [[], []])
    empty = run(kafka_settings, [*options, "--dry-run"])
    async with started(make_producer(kafka_settings)) as producer:
        await producer.send_and_wait(topic, b"{}", partition=0)
    useless = run(kafka_settings, [*options, "--dry-run"])

    assert (absent.returncode, empty.returncode, useless.returncode) == (1, 1, 1)
    assert f"No topic '{topic}'" in absent.stderr
    assert "is empty" in empty.stderr
    assert "Nothing could be translated" in useless.stderr


async def take_for_ever(source: kafka_source.KafkaMessageSource) -> None:
    async with asyncio.timeout(30):
        while True:
            await source.take(10, 0.2)


async def test_a_broker_that_goes_away_is_noticed_and_left_without_another_error(
    topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_source, "CHECK_EVERY_S", 0.5)
    port = free_port()
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", op_timeout_s=6)
    async with AsyncExitStack() as stack:
        with server(build(lambda: broker_command(port)), port, tmp_path / "log"):
            await fill(kafka, topic, [[theirs("P 1", 0)]])
            source = kafka_source.KafkaMessageSource(kafka, topic, "group", SystemClock())
            await stack.enter_async_context(source)
            assert (await source.take(10, 5)).messages

        with pytest.raises(BackendUnavailableError):
            await take_for_ever(source)


async def test_a_topic_that_is_not_there_is_not_created(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    refused = run(kafka_settings, options)

    assert refused.returncode == 2
    assert f"No topic '{topic}'" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_its_counts_are_there_for_prometheus(
    kafka_settings: KafkaSettings, topic: str, options: list[str]
) -> None:
    rows = [theirs("P 1", 0), b"not JSON", theirs("P 1", 1)]
    await fill(kafka_settings, topic, [rows])
    address = f"127.0.0.1:{free_port()}"

    with running(kafka_settings, [*options, "--metrics", address]) as process:
        until_nothing_is_behind(process)
        taken = run(kafka_settings, [*options, "--metrics", address])
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(f"http://{address}/metrics")).text
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 0
    families = {family.name: family for family in text_string_to_metric_families(page)}
    ours = {name for name in families if name.startswith("surgeline_")}
    assert ours == {spec.name for spec in OF_INGEST}
    values = {
        (sample.name, sample.labels.get("reason")): sample.value
        for spec in OF_INGEST
        for sample in families[spec.name].samples
    }
    assert values["surgeline_ingest_messages_total", None] == 3
    assert values["surgeline_ingest_readings_total", None] == 2
    assert values["surgeline_ingest_refused_total", "not_json"] == 1
    assert values["surgeline_ingest_refused_total", "time"] == 0
    assert values["surgeline_ingest_behind", None] == 0
    assert taken.returncode == 2
    assert "cannot listen there: Address already in use" in taken.stderr


@pytest.mark.parametrize("address", ["9101", "localhost", "localhost:", ":9101", "a:0", "a:99999"])
def test_an_address_that_is_none_is_refused(
    kafka_settings: KafkaSettings, options: list[str], address: str
) -> None:
    refused = run(kafka_settings, [*options, "--metrics", address])

    assert refused.returncode == 2
    assert "host:port" in refused.stderr
