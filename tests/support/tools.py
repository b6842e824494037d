"""The operators' commands, run as a person runs them, against a bench."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing

from common.links.kafka import ensure_topics, make_producer, read_to_end, started
from common.settings import KafkaSettings
from common.topics import Topics
from tests.support import forked
from tests.support.detector import DetectorBench

TIMEOUT_S = 60
WHERE = "WHERE run_key = (SELECT min(run_key) FROM run WHERE run_id = ?) AND cycle = ?"


async def surgeline(
    bench: DetectorBench, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``surgeline ...`` in the bench's folder, with the bench's settings."""
    environment = bench.environment(COLUMNS="200", **(variables or {}))
    return await asyncio.to_thread(forked.run, ["deploy.cli", *arguments], environment, TIMEOUT_S)


def alter_verdict(bench: DetectorBench, run_id: str, cycle: int, statement: str) -> None:
    """Do with a row of the score store's file what nobody should: of the run's first asset."""
    with closing(sqlite3.connect(bench.scores.sqlite_path)) as connection:
        changed = connection.execute(f"{statement} {WHERE}", (run_id, cycle)).rowcount
        assert changed == 1
        connection.commit()


def every(_number: int) -> bool:
    """Whether a message is copied: it is."""
    return True


async def copy_topics(
    source: KafkaSettings,
    target: KafkaSettings,
    keep_alert: Callable[[int], bool] = every,
    keep_evidence: Callable[[int], bool] = every,
) -> None:
    """Copy readings, alerts and evidence to another prefix, leaving some out by their number."""
    await ensure_topics(target)
    here, there = Topics(source.topic_prefix), Topics(target.topic_prefix)
    async with started(make_producer(target)) as producer:
        async for record in read_to_end(source, here.readings):
            await producer.send(there.readings, record.value, key=record.key)
        for topic, to, keep in (
            (here.alerts, there.alerts, keep_alert),
            (here.evidence, there.evidence, keep_evidence),
        ):
            number = 0
            async for record in read_to_end(source, topic):
                if keep(number):
                    await producer.send(to, record.value, key=record.key)
                number += 1
        await producer.flush()
