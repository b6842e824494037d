"""``surgeline provision``: on real servers, once, and again with nothing changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from common.errors import BackendMissingError, BackendRefusedError, BackendUnavailableError
from common.settings import AlertHistorySettings, KafkaSettings, ScoreStoreSettings, Settings
from common.topics import Topics
from deploy.provision import provide
from tests.support.clock import FakeClock
from tests.support.servers.influx import TOKEN, InfluxServer, influx_server


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influx_server(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture
def settings(kafka_settings: KafkaSettings, influx: InfluxServer, tmp_path: object) -> Settings:
    scores = ScoreStoreSettings.model_validate(
        {
            "backend": "influx",
            "influx_url": influx.url,
            "influx_bucket": f"new-{uuid.uuid4().hex[:12]}",
            "influx_token": TOKEN,
        }
    )
    alerts = AlertHistorySettings.model_validate({"url": f"sqlite+aiosqlite:///{tmp_path}/a.db"})
    return Settings(kafka=kafka_settings, scores=scores, alerts=alerts)


def retention(influx: InfluxServer, bucket: str) -> str:
    """The duration of the bucket's retention policy, as 1.x writes it."""
    (series,) = influx.ask(bucket, f'SHOW RETENTION POLICIES ON "{bucket}"')["series"]
    return str(dict(zip(series["columns"], series["values"][0], strict=True))["duration"])


async def partitions(settings: KafkaSettings) -> dict[str, int]:
    """How many partitions each of the four topics has."""
    topics = Topics(settings.topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        names = [topics.readings, topics.alerts, topics.evidence, topics.dead_letter]
        found = await admin.describe_topics(names)
    finally:
        await admin.close()
    return {str(topic["topic"]): len(topic["partitions"]) for topic in found}


async def test_what_is_missing_is_made_and_the_second_time_nothing_changes(
    settings: Settings, influx: InfluxServer
) -> None:
    bucket, topics = settings.scores.influx_bucket, Topics(settings.kafka.topic_prefix)

    first = await provide(settings, 90, 0, FakeClock())
    made = await partitions(settings.kafka), retention(influx, bucket)
    influx.write(bucket, "score,asset_id=a cycle=1i")
    second = await provide(settings, 90, 0, FakeClock())

    assert made == (
        {
            topics.readings: settings.kafka.partitions,
            topics.alerts: 1,
            topics.evidence: 1,
            topics.dead_letter: 1,
        },
        "2160h0m0s",
    )
    assert second == first
    assert (await partitions(settings.kafka), retention(influx, bucket)) == made
    assert influx.ask(bucket, "SELECT cycle FROM score")["series"]


async def test_a_retention_that_is_not_given_stays(
    settings: Settings, influx: InfluxServer
) -> None:
    bucket = settings.scores.influx_bucket
    await provide(settings, 30, 0, FakeClock())

    await provide(settings, None, 0, FakeClock())
    kept = retention(influx, bucket)
    await provide(settings, 0, 0, FakeClock())

    assert kept == "720h0m0s"
    assert retention(influx, bucket) == "0s"


async def test_a_wrong_token_is_refused_at_once(settings: Settings) -> None:
    scores = settings.scores.model_copy(update={"influx_token": "wrong"})
    scores = ScoreStoreSettings.model_validate(scores.model_dump())

    with pytest.raises(BackendRefusedError, match="SURGELINE_SCORES__INFLUX_TOKEN"):
        await provide(settings.model_copy(update={"scores": scores}), None, 60, FakeClock())


async def test_a_server_that_is_not_there_is_waited_for_and_then_named() -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1", op_timeout_s=6)
    clock = FakeClock()
    began = clock.monotonic()

    with pytest.raises((BackendMissingError, BackendUnavailableError), match=r"127\.0\.0\.1:1"):
        await provide(Settings(kafka=nobody), None, 3, clock)

    assert clock.monotonic() - began == pytest.approx(3, abs=1)
