"""``python -m producer replay`` as a process, and what it left on the topic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.links.kafka import read_to_end
from common.records.readings import SensorReading
from common.settings import KafkaSettings
from common.topics import Topics
from tests.support import forked
from tests.support.variables import kafka_variables


@dataclass(frozen=True, slots=True)
class OnTopic:
    """What the readings topic holds of one run.

    Attributes:
        counts: How often each (asset, cycle) is there.
        cycles: The cycles of each asset, in the order of the topic.
        partitions: The partitions on which each asset is.
    """

    counts: Counter[tuple[str, int]]
    cycles: dict[str, list[int]]
    partitions: dict[str, set[int]]


async def on_topic(settings: KafkaSettings, run_id: str) -> OnTopic:
    """Read the whole topic; an asset's records must be keyed by it."""
    found = OnTopic(Counter(), {}, {})
    async for record in read_to_end(settings, Topics(settings.topic_prefix).readings):
        reading = SensorReading.model_validate_json(record.value)
        if reading.run_id == run_id:
            assert record.key == reading.asset_id.encode()
            found.counts[reading.asset_id, reading.cycle] += 1
            found.cycles.setdefault(reading.asset_id, []).append(reading.cycle)
            found.partitions.setdefault(reading.asset_id, set()).add(record.partition)
    return found


def command(*arguments: str) -> list[str]:
    """The command line of a replay."""
    return [sys.executable, "-m", "producer", "replay", *arguments]


def environment(settings: KafkaSettings) -> dict[str, str]:
    """This process's environment, with the broker of a test."""
    return {**os.environ, **kafka_variables(settings)}


def run(settings: KafkaSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a replay to its end."""
    return forked.run(["producer", "replay", *arguments], environment(settings))


@contextmanager
def running(settings: KafkaSettings, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a replay that tells its progress as JSON; it is gone when the block ends."""
    with subprocess.Popen(
        command(*arguments, "--progress", "json"),
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reports(lines: Sequence[str]) -> list[dict[str, Any]]:
    """The progress told in JSON lines."""
    return [json.loads(line) for line in lines]


def wait_for_rows(process: subprocess.Popen[str], rows: int) -> dict[str, Any]:
    """Read progress until so many readings are sent, and return that report."""
    assert process.stdout is not None
    for line in process.stdout:
        report: dict[str, Any] = json.loads(line)
        assert report["state"] == "running", report
        if report["sent"] >= rows:
            return report
    raise AssertionError(f"the replay ended before {rows} readings")
