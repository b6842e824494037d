"""A fetch that straddles a rebalance is fetched again, whether or not anything was committed."""

from __future__ import annotations

from typing import Any

import pytest

from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from detector.adapters.faust_chunks import ChunkConsumer
from tests.contract.test_faust_chunks import Recorder, send, until, worker


@pytest.fixture
def straddling(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every third fetch that brings something finds that the group has gone on meanwhile."""
    real, seen = ChunkConsumer._wait_next_records, []

    async def wait_next_records(self: ChunkConsumer, timeout: float) -> Any:
        fetched, partitions = await real(self, timeout)
        if fetched:
            seen.append(fetched)
            if len(seen) % 3 == 1:
                self.app.consumer_generation_id += 1
        return fetched, partitions

    monkeypatch.setattr(ChunkConsumer, "_wait_next_records", wait_next_records)
    return seen


async def test_nothing_is_lost_where_nothing_was_committed_yet(
    kafka_settings: KafkaSettings, straddling: list[object]
) -> None:
    await ensure_topics(kafka_settings)
    sent = [b"value-%05d" % number for number in range(3000)]
    await send(kafka_settings, sent)
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        await until(lambda: set(recorder.values) >= set(sent))

    assert len(straddling) >= 3
