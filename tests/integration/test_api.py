"""The api as a process on a real broker: projection, stream, kill, restart, a new broker."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from httpx_sse import aconnect_sse

from api.adapters.kafka.alert_feed import KafkaAlertFeed
from api.ports import AlertBatch, FeedPosition
from common.errors import BackendUnavailableError
from common.links.kafka import ensure_topics, make_producer, started
from common.records.alerts import Alert
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import broker_command, free_port
from tests.support.alerts import make_alert
from tests.support.api_process import ApiProcess
from tests.support.servers.backends import build, server

STREAM = "/api/v1/alerts/stream"
KILLS = 5


@pytest.fixture
async def api(kafka_settings: KafkaSettings, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    await ensure_topics(kafka_settings)
    process = ApiProcess(kafka_settings, tmp_path)
    process.start()
    yield process
    assert process.stop() == 0, process.log()


def alerts_of(count: int, *, first: int = 1) -> list[Alert]:
    return [
        make_alert(number, asset_id=f"engine-{number % 7}")
        for number in range(first, first + count)
    ]


async def publish(kafka: KafkaSettings, alerts: Sequence[Alert], pause_every: int = 0) -> None:
    """Send alerts as the detector does; with pauses, in many batches."""
    topic = Topics(kafka.topic_prefix).alerts
    async with started(make_producer(kafka)) as producer:
        for number, alert in enumerate(alerts, 1):
            await producer.send(topic, alert.to_json(), key=alert.asset_id.encode())
            if pause_every and number % pause_every == 0:
                await producer.flush()
        await producer.flush()


def client(api: ApiProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=api.url, timeout=httpx.Timeout(10, read=30), trust_env=False)


async def history(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Read the whole history, oldest first."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": "1000", "order": "oldest"} | cursor
        body = (await http.get("/api/v1/alerts", params=query)).raise_for_status().json()
        items += body["items"]
        if body["next_cursor"] is None:
            return items
        cursor = {"cursor": body["next_cursor"]}


async def until_stored(http: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            items = await history(http)
            if len(items) >= count:
                return items
            await asyncio.sleep(0.05)


async def until_on_page(http: httpx.AsyncClient, line: str) -> str:
    """Return the metrics once they have a line: what is stored is counted a moment later."""
    page = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            while line not in (page := (await http.get("/metrics")).text):  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(0.05)
    return page


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)


async def until_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            if (await http.get("/ready")).status_code == 200:
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def streaming(
    http: httpx.AsyncClient, query: str = "", last_id: str | None = None
) -> AsyncIterator[AsyncIterator[Any]]:
    """A stream that has begun: alerts from now on are its own."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with aconnect_sse(http, "GET", STREAM + query, headers=headers) as source:
        events = source.aiter_sse()
        async with asyncio.timeout(30):
            beginning = await anext(events)
        assert beginning.data == ""
        yield events


async def take(events: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


async def test_published_alerts_reach_history_and_stream_word_for_word(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    alerts = alerts_of(50)
    async with client(api) as http, streaming(http) as live:
        await publish(kafka_settings, alerts)
        seen = await take(live, 50)
        items = await until_stored(http, 50)

    assert [event.id for event in seen] == [alert.alert_id for alert in alerts]
    assert [event.data.encode() for event in seen] == [alert.to_json() for alert in alerts]
    assert [item["alert_id"] for item in items] == [alert.alert_id for alert in alerts]


async def test_everything_is_ready_but_a_detector_that_is_not_there(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    api = ApiProcess(
        kafka_settings,
        tmp_path,
        SURGELINE_API__DETECTOR_URL=f"http://127.0.0.1:{free_port()}",
        SURGELINE_API__SSE_HEARTBEAT_S="0.2",
    )
    api.start()
    try:
        async with client(api) as http, asyncio.timeout(30):
            await until_ready(http)
            answer = await http.get("/ready")
            async with http.stream("GET", STREAM) as stream:
                async for line in stream.aiter_lines():
                    if line == ": heartbeat":
                        break
    finally:
        assert api.stop() == 0

    body = answer.json()
    assert body["status"] == "degraded"
    assert {name: item["ok"] for name, item in body["dependencies"].items()} == {
        "broker": True,
        "score_store": True,
        "alert_history": True,
        "detector": False,
        "detector_group": False,
    }
    assert "no worker is in the group" in body["dependencies"]["detector_group"]["error"]
    assert "no answer from" in body["dependencies"]["detector"]["error"]


async def test_what_is_no_alert_is_left_out_and_blocks_nothing(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).alerts
    first, second = alerts_of(2)
    odd = json.loads(first.to_json()) | {"alert_id": "line\nbreak"}
    newer = json.loads(second.to_json()) | {"new_field": {"of": "a later version"}}
    bodies = [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        json.dumps(odd).encode(),
        json.dumps(newer).encode(),
    ]

    async with client(api) as http, streaming(http) as live:
        async with started(make_producer(kafka_settings)) as producer:
            for body in bodies:
                await producer.send_and_wait(topic, body, key=b"k")
        (event,) = await take(live, 1)
        items = await until_stored(http, 1)

    assert [item["alert_id"] for item in items] == [second.alert_id]
    assert json.loads(event.data)["new_field"] == {"of": "a later version"}


async def test_a_polite_stop_ends_streams_whole(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    api = ApiProcess(kafka_settings, tmp_path)
    api.start()
    async with client(api) as http, streaming(http) as live:
        code = await asyncio.to_thread(api.stop)
        rest = [event async for event in live]

    assert code == 0
    assert rest == []
    assert "graceful shutdown exceeded" not in api.log()


class Subscriber:
    """Keeps every event it gets; when cut off, comes back with the id of the last one."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.last_id: str | None = None
        self.connections = 0
        self.url = ""

    async def follow(self) -> None:
        while True:
            headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
            try:
                async with (
                    httpx.AsyncClient(timeout=httpx.Timeout(5, read=30), trust_env=False) as http,
                    aconnect_sse(http, "GET", self.url + STREAM, headers=headers) as source,
                ):
                    source.response.raise_for_status()
                    async for event in source.aiter_sse():
                        if event.data == "":
                            self.connections += 1
                        else:
                            self.ids.append(event.id)
                        self.last_id = event.id
            except httpx.TransportError:
                await asyncio.sleep(0.02)


async def test_killed_in_a_storm_of_alerts_nothing_is_lost_or_doubled(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    """Kill -9 again and again while alerts pour in, each repeated as a detector would after one."""
    seed = int(os.environ.get("SURGELINE_TEST_SEED", "0")) or random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")  # noqa: T201 - shown only on failure, to repeat it
    alerts = alerts_of(3000)
    sent: list[Alert] = []
    for number, alert in enumerate(alerts):
        sent.append(alert)
        if chance.random() < 0.1:
            sent.extend(alerts[max(0, number - chance.randrange(20)) : number + 1])
    wanted = [alert.alert_id for alert in alerts]
    await ensure_topics(kafka_settings)
    api = ApiProcess(kafka_settings, tmp_path)
    api.start()
    subscriber = Subscriber()
    subscriber.url = api.url
    following = asyncio.create_task(subscriber.follow())
    await until(lambda: subscriber.connections > 0)

    storm = asyncio.create_task(publish(kafka_settings, sent, pause_every=50))
    for part in range(KILLS):
        reached = len(wanted) * part // KILLS
        # it has come back since the last kill, however much it had got before
        await until(
            lambda: subscriber.connections > part and len(subscriber.ids) > reached  # noqa: B023 - awaited at once
        )
        await asyncio.sleep(chance.random() * 0.05)
        api.kill()
        await asyncio.to_thread(api.start)
        subscriber.url = api.url
    await storm
    async with client(api) as http:
        items = await until_stored(http, len(wanted))
    await until(lambda: len(subscriber.ids) >= len(wanted))
    following.cancel()
    api.stop()

    assert [item["alert_id"] for item in items] == wanted
    assert [item["sequence"] for item in items] == list(range(1, len(wanted) + 1))
    assert subscriber.ids == wanted
    assert subscriber.connections >= KILLS


async def test_a_restart_goes_on_where_it_was_and_reads_nothing_twice(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(kafka_settings)
    api = ApiProcess(kafka_settings, tmp_path)
    api.start()
    await publish(kafka_settings, alerts_of(30))
    async with client(api) as http:
        await until_stored(http, 30)
    assert api.stop() == 0
    await publish(kafka_settings, alerts_of(10, first=31))

    api.start()
    async with client(api) as http:
        await until_stored(http, 40)
        metrics = await until_on_page(http, "surgeline_api_alerts_projected_total 10.0")
    assert api.stop() == 0

    assert "surgeline_api_alerts_projected_total 10.0" in metrics
    assert "surgeline_api_alerts_repeated_total 0.0" in metrics


@pytest.mark.parametrize("new_alerts", [3, 10, 25], ids=["fewer", "as many", "more"])
async def test_a_new_life_of_the_memory_only_broker_is_read_from_its_beginning(
    tmp_path: Path, new_alerts: int
) -> None:
    """Offsets of the old life mean nothing in the new one, be it shorter or longer."""
    port = free_port()
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}")
    api = ApiProcess(kafka, tmp_path)
    command = build(lambda: broker_command(port))
    old, new = alerts_of(10), alerts_of(new_alerts, first=100)
    try:
        with server(command, port, tmp_path / "old"):
            await ensure_topics(kafka)
            api.start()
            await publish(kafka, old)
            async with client(api) as http:
                await until_stored(http, 10)
        with server(build(lambda: broker_command(port)), port, tmp_path / "new"):
            await ensure_topics(kafka)
            await publish(kafka, new)
            async with client(api) as http:
                items = await until_stored(http, 10 + new_alerts)
    finally:
        api.kill()

    assert {item["alert_id"] for item in items} == {alert.alert_id for alert in old + new}


@pytest.mark.parametrize("new_alerts", [3, 10, 25], ids=["fewer", "as many", "more"])
@pytest.mark.parametrize("is_down", [False, True], ids=["api up", "api down"])
async def test_a_topic_made_anew_on_a_running_broker_is_read_from_its_beginning(
    kafka_settings: KafkaSettings, tmp_path: Path, new_alerts: int, *, is_down: bool
) -> None:
    """Offsets go on where the old topic's ended, or seem to: the records tell."""
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).alerts
    api = ApiProcess(kafka_settings, tmp_path)
    old, new = alerts_of(10), alerts_of(new_alerts, first=100)
    api.start()
    try:
        await publish(kafka_settings, old)
        async with client(api) as http:
            await until_stored(http, 10)
        if is_down:
            assert api.stop() == 0
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics([topic])
            await admin.create_topics([NewTopic(topic, 1, 1)])
        except TopicAlreadyExistsError:
            pass  # the api was a moment faster
        finally:
            await admin.close()
        await publish(kafka_settings, new)
        if is_down:
            api.start()
        async with client(api) as http:
            items = await until_stored(http, 10 + new_alerts)
            await publish(kafka_settings, alerts_of(2, first=500))
            await until_stored(http, 12 + new_alerts)
            gaps = (await http.get("/api/v1/alerts/gaps")).json()
    finally:
        api.kill()

    assert {item["alert_id"] for item in items} == {alert.alert_id for alert in old + new}
    assert gaps == {"items": []}


async def test_a_feed_resumes_from_the_given_offset_and_reports_the_next(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    alerts = alerts_of(20)
    await publish(kafka_settings, alerts)
    sources: list[str] = []

    async def collect(offset: int, count: int) -> list[AlertBatch]:
        async def resume(source: str) -> dict[int, FeedPosition]:
            sources.append(source)
            return {0: FeedPosition(offset)}

        found: list[AlertBatch] = []
        batches = KafkaAlertFeed(kafka_settings).batches(resume)
        async with asyncio.timeout(30):
            async for batch in batches:
                found.append(batch)
                if sum(len(item.items) for item in found) >= count:
                    break
        await batches.aclose()
        return found

    late = await collect(15, 5)
    everything = await collect(0, 20)
    beyond = await collect(99, 0)

    assert [wire.alert for batch in late for wire in batch.items] == alerts[15:]
    assert [wire.alert for batch in everything for wire in batch.items] == alerts
    assert late[-1].position == everything[-1].position
    assert everything[-1].position.next_offset == 20
    assert (beyond[0].items, beyond[0].position) == ([], FeedPosition(0))
    assert len(set(sources)) == 1


async def test_a_broker_that_is_not_there_is_said_by_feed_and_ping() -> None:
    address = f"127.0.0.1:{free_port()}"
    feed = KafkaAlertFeed(KafkaSettings(bootstrap_servers=address, op_timeout_s=1))

    async def resume(_source: str) -> dict[int, FeedPosition]:
        return {}

    with pytest.raises(BackendUnavailableError, match=address):
        await anext(feed.batches(resume))
    with pytest.raises(BackendUnavailableError, match="No broker answers"):
        await feed.ping()
