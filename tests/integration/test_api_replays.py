"""Replays through the api with the real producer: progress, stop, crash of the api, going on."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.links.kafka import ensure_topics, read_to_end
from common.settings import KafkaSettings
from common.topics import Topics
from tests.support.api_process import ApiProcess
from tests.support.servers.backends import wait_until

REPLAYS = "/api/v1/replays"
BODY = {"dataset": "SIM", "engines": "1-3", "seed": 5, "start": "2026-01-01T00:00:00Z"}


@pytest.fixture
async def api(kafka_settings: KafkaSettings, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    await ensure_topics(kafka_settings)
    process = ApiProcess(kafka_settings, tmp_path)
    process.start()
    yield process
    assert process.stop() == 0, process.log()


def client(api: ApiProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=api.url, timeout=30, trust_env=False)


async def until(http: httpx.AsyncClient, run_id: str, *states: str, sent: int = 0) -> Any:
    """Return the replay once it is in one of ``states`` and has sent enough."""
    async with asyncio.timeout(60):
        while True:
            found = (await http.get(f"{REPLAYS}/{run_id}")).raise_for_status().json()
            assert found["state"] in (*states, "running"), found
            if found["state"] in states and found["sent"] >= sent:
                return found
            await asyncio.sleep(0.05)


async def readings(kafka: KafkaSettings) -> Counter[tuple[str, int]]:
    """Count the readings on the topic by asset and cycle."""
    topic = Topics(kafka.topic_prefix).readings
    values = [json.loads(record.value) async for record in read_to_end(kafka, topic)]
    return Counter((value["asset_id"], value["cycle"]) for value in values)


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        pytest.skip("children of a process are found through /proc")
    found = [(task / "children").read_text().split() for task in tasks.iterdir()]
    return [int(child) for line in found for child in line]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_replay_sends_every_reading_once_and_again_nothing(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    async with client(api) as http:
        body = BODY | {"run_id": "simulated-a", "speed": "max"}
        accepted = await http.post(REPLAYS, json=body)
        first = await until(http, "simulated-a", "done")
        again = await http.post(REPLAYS, json=body)
        second = await until(http, "simulated-a", "done")
    found = await readings(kafka_settings)

    assert (accepted.status_code, again.status_code) == (202, 202)
    assert first["sent"] == first["total"] == len(found)
    assert first["progress"] == 1.0
    assert (second["sent"], second["skipped"]) == (0, len(found))
    assert set(found.values()) == {1}


async def test_a_stopped_replay_is_gone_on_with(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    body = BODY | {"run_id": "simulated-b", "speed": "15x"}
    async with client(api) as http:
        await http.post(REPLAYS, json=body)
        await until(http, "simulated-b", "running", sent=20)
        clash = await http.post(REPLAYS, json=body)
        stopped = (await http.delete(f"{REPLAYS}/simulated-b")).json()
        before = sum((await readings(kafka_settings)).values())
        await http.post(REPLAYS, json=body | {"speed": "max"})
        done = await until(http, "simulated-b", "done")
    found = await readings(kafka_settings)

    assert clash.status_code == 409
    assert stopped["state"] == "stopped"
    assert stopped["sent"] == before < done["total"]
    assert (done["skipped"], done["sent"]) == (before, done["total"] - before)
    assert set(found.values()) == {1}
    assert len(found) == done["total"]


async def test_a_killed_api_leaves_no_producer_behind_and_goes_on_after_a_restart(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(kafka_settings)
    api = ApiProcess(kafka_settings, tmp_path)
    api.start()
    body = BODY | {"run_id": "simulated-c", "speed": "15x"}
    async with client(api) as http:
        await http.post(REPLAYS, json=body)
        await until(http, "simulated-c", "running", sent=20)
    producers = children(api.pid)
    api.kill()
    await asyncio.to_thread(
        wait_until, lambda: not any(alive(pid) for pid in producers), "the producer ends"
    )

    api.start()
    async with client(api) as http:
        interrupted = (await http.get(f"{REPLAYS}/simulated-c")).json()
        await http.post(REPLAYS, json=body | {"speed": "max"})
        done = await until(http, "simulated-c", "done")
    assert api.stop() == 0
    found = await readings(kafka_settings)

    assert len(producers) == 1
    assert interrupted["state"] == "interrupted"
    assert "POST the same run_id" in interrupted["hint"]
    assert set(found.values()) == {1}
    assert len(found) == done["total"]


async def test_stopping_the_api_stops_its_producers(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(kafka_settings)
    api = ApiProcess(kafka_settings, tmp_path)
    api.start()
    async with client(api) as http:
        await http.post(REPLAYS, json=BODY | {"run_id": "simulated-d", "speed": "15x"})
        await until(http, "simulated-d", "running", sent=20)
    producers = children(api.pid)

    code = await asyncio.to_thread(api.stop)

    assert code == 0
    assert len(producers) == 1
    assert not any(alive(pid) for pid in producers)


async def test_a_replay_of_data_that_is_not_there_fails_with_the_reason(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(kafka_settings)
    api = ApiProcess(kafka_settings, tmp_path, SURGELINE_DATA_DIR=str(tmp_path / "nothing"))
    api.start()
    async with client(api) as http:
        await http.post(REPLAYS, json={"dataset": "FD001", "run_id": "no-data"})
        failed = await until(http, "no-data", "failed")
    assert api.stop() == 0

    assert "nothing" in failed["error"]
    assert failed["sent"] == 0
