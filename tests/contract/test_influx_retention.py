"""What the set-up asks of InfluxDB, and that a real 1.x server then removes and aggregates."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import structlog
from msgspec import structs

from common.errors import BackendRefusedError
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.influx.bucket import ensure_bucket
from common.scorestore.influx.hourly import (
    CONTINUOUS_QUERY,
    continuous_query,
    ensure_hourly,
    server_version,
)
from common.scorestore.influx.store import InfluxScoreStore
from common.scorestore.port import ScoreQuery
from common.settings import RetentionSettings, ScoreStoreSettings
from tests.support.servers.backends import wait_until
from tests.support.servers.influx import InfluxServer, influx_server

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influx_server(tmp_path_factory.mktemp("influx")) as running:
        yield running


@pytest.fixture
def settings(influx: InfluxServer) -> ScoreStoreSettings:
    """A bucket that is not there yet, on the engine itself: it speaks 1.x."""
    made = influx.new_bucket()
    influx.ask("", f'DROP DATABASE "{made.influx_bucket}"')
    return made


def engine_of(influx: InfluxServer, settings: ScoreStoreSettings) -> ScoreStoreSettings:
    url = f"http://127.0.0.1:{influx.engine.port}"
    return ScoreStoreSettings.model_validate(settings.model_dump() | {"influx_url": url})


def scored(cycle: int, ts: datetime, score: float = 1.0) -> ScoreRecord:
    return ScoreRecord(
        asset_id="engine-1",
        run_id="run-1",
        cycle=cycle,
        ts=ts,
        status=Verdict.SCORED,
        model="fd001@1",
        score=score,
        warning_threshold=1.0,
        critical_threshold=2.0,
        level=Level.NONE,
        severity=score / 2,
    )


async def set_up(settings: ScoreStoreSettings, retention: RetentionSettings) -> list[str]:
    """What `surgeline provision --retention-days` does."""
    days = int(retention.scores_days)
    made = await asyncio.to_thread(ensure_bucket, settings, days)
    return [made, await ensure_hourly(settings, retention)]


def asked(influx: InfluxServer, bucket: str, statement: str) -> list[dict[str, Any]]:
    series = influx.ask(bucket, statement).get("series", ())
    return [dict(zip(one["columns"], row, strict=True)) for one in series for row in one["values"]]


async def test_set_up_makes_all_and_a_second_time_changes_nothing_but_what_is_set(
    influx: InfluxServer, settings: ScoreStoreSettings
) -> None:
    engine, bucket = engine_of(influx, settings), settings.influx_bucket

    def policies() -> dict[str, tuple[str, str, bool]]:
        rows = asked(influx, bucket, f'SHOW RETENTION POLICIES ON "{bucket}"')
        return {
            row["name"]: (row["duration"], row["shardGroupDuration"], row["default"])
            for row in rows
        }

    def queries() -> list[str]:
        rows = asked(influx, bucket, "SHOW CONTINUOUS QUERIES")
        return [
            row["query"] for row in rows if f'"{bucket}"' in row["query"] or bucket in row["query"]
        ]

    said = await set_up(engine, RetentionSettings())
    made = policies(), queries()
    assert await set_up(engine, RetentionSettings()) == said
    assert (policies(), queries()) == made
    assert made[0] == {
        "autogen": ("2160h0m0s", "168h0m0s", True),
        "coarse": ("17520h0m0s", "168h0m0s", False),
    }
    assert len(made[1]) == 1
    assert "kept for 90 days" in said[0]
    assert "kept for 730 days" in said[1]

    await set_up(engine, RetentionSettings(scores_days=7, coarse_days=0))

    assert policies() == {
        "autogen": ("168h0m0s", "168h0m0s", True),
        "coarse": ("0s", "168h0m0s", False),
    }


async def test_a_bucket_that_was_there_before_keeps_what_it_holds(influx: InfluxServer) -> None:
    settings = influx.new_bucket()
    ts = datetime.now(UTC).replace(microsecond=0)
    async with InfluxScoreStore(settings) as store:
        await store.write([scored(1, ts)])
        assert await store.removed_until() is None

        await set_up(engine_of(influx, settings), RetentionSettings(scores_days=30))

        assert len((await store.query(ScoreQuery())).records) == 1
        until = await store.removed_until()
    assert until is not None
    assert abs(until - (datetime.now(UTC) - 30 * DAY)) < timedelta(minutes=5)


async def test_readings_older_than_what_is_kept_do_not_stop_the_stream(
    influx: InfluxServer, settings: ScoreStoreSettings
) -> None:
    await set_up(engine_of(influx, settings), RetentionSettings(scores_days=30))
    now = datetime.now(UTC).replace(microsecond=0)
    async with InfluxScoreStore(settings) as store:
        with structlog.testing.capture_logs() as logs:
            await store.write([scored(1, now - 400 * DAY), scored(2, now)])
            await store.write([scored(3, now - 400 * DAY)])

        assert [row.cycle for row in (await store.query(ScoreQuery())).records] == [2]
    assert [line["event"] for line in logs] == [
        "readings are older than what the bucket keeps: their verdicts are not stored"
    ]


async def test_the_server_aggregates_each_interval_by_asset_run_and_model(
    influx: InfluxServer, settings: ScoreStoreSettings
) -> None:
    """With intervals of two seconds, as an hour is long; the statement is else the same."""
    bucket = settings.influx_bucket
    await set_up(engine_of(influx, settings), RetentionSettings())
    influx.ask("", f'DROP CONTINUOUS QUERY "{CONTINUOUS_QUERY}" ON "{bucket}"')
    influx.ask("", continuous_query(bucket, interval_s=2, late_s=120))
    second = int(datetime.now(UTC).timestamp()) // 2 * 2 - 10
    ts = datetime.fromtimestamp(second, UTC)
    rows = [scored(cycle, ts, score=float(cycle)) for cycle in (1, 2, 3)]
    other = structs.replace(scored(4, ts), run_id="run-2")
    async with InfluxScoreStore(settings) as store:
        await store.write([*rows, other, scored(5, ts + timedelta(seconds=4), 8.0)])

    def hourly() -> list[dict[str, Any]]:
        return asked(
            influx, bucket, 'SELECT * FROM "coarse"."score_hour" WHERE "run_id" = \'run-1\''
        )

    wait_until(lambda: len(hourly()) == 2, "two intervals aggregated", 60)
    first, later = hourly()
    assert first == {
        "time": second * 10**9,
        "asset_id": "engine-1",
        "run_id": "run-1",
        "model": "fd001@1",
        "score_mean": 2,
        "score_max": 3,
        "severity_max": 1.5,
        "scored": 3,
    }
    assert (later["score_max"], later["scored"]) == (8, 1)


async def test_a_server_that_is_neither_is_told_apart() -> None:
    answers = httpx.MockTransport(lambda _: httpx.Response(204))
    async with httpx.AsyncClient(base_url="http://db", transport=answers) as client:
        with pytest.raises(BackendRefusedError, match=r"expected InfluxDB 1\.x or 2\.x"):
            await server_version(client, "http://db")


class Script2:
    """A server of version 2.x as far as the set-up speaks to it; it keeps what it is told."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, str] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, dict(request.url.params)
        body: dict[str, Any] = json.loads(request.read() or b"{}")
        if path == "/ping":
            return httpx.Response(204, headers={"X-Influxdb-Version": "v2.7.10"})
        if path == "/api/v2/orgs":
            return httpx.Response(200, json={"orgs": [{"id": "0a", "name": query["org"]}]})
        kind, *rest = path.removeprefix("/api/v2/").split("/")
        if kind == "buckets" and request.method == "GET":
            found = self.buckets.get(query["name"])
            if found is None:
                return httpx.Response(404, json={"message": "bucket not found"})
            return httpx.Response(200, json={"buckets": [found]})
        if kind == "buckets" and request.method == "POST":
            self.buckets[body["name"]] = body | {"id": str(len(self.buckets))}
            return httpx.Response(201, json=body)
        if kind == "buckets":
            for found in self.buckets.values():
                if found["id"] == rest[0]:
                    found.update(body)
            return httpx.Response(200, json=body)
        if kind == "tasks" and request.method == "GET":
            tasks = [{"id": each} for each in self.tasks]
            return httpx.Response(200, json={"tasks": tasks})
        self.tasks[rest[0] if rest else "t1"] = body["flux"]
        return httpx.Response(200, json=body)


async def test_a_2_x_server_gets_a_second_bucket_and_one_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against a script, not a server: the suite marked influx2 runs against a real one."""
    script = Script2()
    real = httpx.AsyncClient
    monkeypatch.setattr(
        httpx,
        "AsyncClient",
        lambda **given: real(**given, transport=httpx.MockTransport(script.answer)),
    )
    settings = ScoreStoreSettings(backend="influx", influx_bucket="plant", influx_org="works")

    for days in (730, 365):
        said = await ensure_hourly(settings, RetentionSettings(coarse_days=days))

    assert "kept for 365 days" in said
    assert {name: bucket["retentionRules"] for name, bucket in script.buckets.items()} == {
        "plant/coarse": [{"type": "expire", "everySeconds": 365 * 86_400}],
    }
    assert list(script.tasks) == ["t1"]
    assert 'from(bucket: "plant")' in script.tasks["t1"]
    assert 'to(bucket: "plant/coarse", org: "works")' in script.tasks["t1"]
