"""An api process and `surgeline machines` say the same of own pumps, and of their alerts."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from common.links.kafka import ensure_topics, make_producer, started
from common.records.alerts import Alert, ChannelShare
from common.settings import PREFIX, KafkaSettings
from common.topics import Topics
from models.artifact.store import save_artifact
from models.training.build import build_artifact
from models.training.catalogue import OWN_DEFAULT
from models.training.config import TrainingConfig
from models.training.preparation.own_data import prepare_recording
from tests.support import forked
from tests.support.alerts import make_alert
from tests.support.api_process import ApiProcess
from tests.support.own_pumps import pumps

CONFIG = TrainingConfig(seed=1, epochs=1, hidden=4, latent=2)


def pump_alert() -> Alert:
    shares = (("Motor Temperature", 0.75, "high"), ("Flow Rate", 0.25, "low"))
    channels = [
        {"name": name, "share": share, "direction": direction} for name, share, direction in shares
    ]
    return make_alert(1_700_000_123, asset_id="pump-2", fleet="pumps").model_copy(
        update={"channels": tuple(ChannelShare.model_validate(each) for each in channels)}
    )


def surgeline(*arguments: str, **settings: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = forked.run(["deploy.cli", *arguments], kept | settings | {"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pumps")
    save_artifact(build_artifact(prepare_recording(pumps()), "pumps", CONFIG, OWN_DEFAULT), folder)
    return folder


@pytest.fixture
def fleets(artifact: Path, tmp_path: Path) -> Path:
    path = tmp_path / "fleets.toml"
    path.write_text(f'[fleet.pumps]\nartifact = "{artifact}"\n', encoding="utf-8")
    return path


@pytest.fixture
async def api(
    kafka_settings: KafkaSettings, fleets: Path, tmp_path: Path
) -> AsyncIterator[ApiProcess]:
    await ensure_topics(kafka_settings)
    process = ApiProcess(kafka_settings, tmp_path, SURGELINE_FLEETS=str(fleets))
    process.start()
    yield process
    assert process.stop() == 0, process.log()


async def listed(http: httpx.AsyncClient, path: str) -> Any:
    return (await http.get(path)).raise_for_status().json()


async def until_listed(http: httpx.AsyncClient, path: str, count: int) -> Any:
    deadline = time.monotonic() + 60
    while len((found := await listed(http, path))["items"]) != count:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


async def test_an_api_and_the_command_say_the_same_and_follow_the_file(
    api: ApiProcess, fleets: Path, tmp_path: Path
) -> None:
    file = tmp_path / "machines.json"
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        said = await listed(http, "/api/v1/machines")
        shown = surgeline("machines", "--json", str(file), SURGELINE_FLEETS=str(fleets))
        with fleets.open("a", encoding="utf-8") as more:
            more.write('[fleet.engines]\nartifact = "fd001"\n[fleet.fans]\nartifact = "./fans"\n')
        grown = await until_listed(http, "/api/v1/machines", 3)

    assert json.loads(file.read_text(encoding="utf-8")) == said
    for part in ("machine type pump, Pump", "Flow Rate", "l/min", "one every 1 s", "°C"):
        assert part in shown
    assert grown["items"][0] == said["items"][0]
    assert [each["problem"] is None for each in grown["items"]] == [True, True, False]


async def test_an_alert_of_a_pump_says_its_units_and_the_message_stays_as_it_was(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    alert = pump_alert()
    async with started(make_producer(kafka_settings)) as producer:
        topic = Topics(kafka_settings.topic_prefix).alerts
        await producer.send_and_wait(topic, alert.to_json(), key=alert.asset_id.encode())
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        (item,) = (await until_listed(http, "/api/v1/alerts", 1))["items"]
        stream = "/api/v1/alerts/stream?replay=all"
        async with asyncio.timeout(60), aconnect_sse(http, "GET", stream) as events:
            streamed = [event.data async for event in _first(events.aiter_sse())]
    shown = await asyncio.to_thread(surgeline, "alerts", "--url", api.url)

    assert streamed == [alert.to_json().decode()]
    assert item["step"] == "second"
    assert [(each["name"], each["unit"]) for each in item["channels"]] == [
        ("Motor Temperature", "°C"),
        ("Flow Rate", "l/min"),
    ]
    lines = shown.splitlines()
    assert "second" in lines[0]
    assert "Motor Temperature↑75, Flow Rate↓25" in lines[1]
    assert [line.split()[-1] for line in lines[-2:]] == ["°C", "l/min"]


async def _first(events: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for event in events:
        if event.data:
            yield event
            return
