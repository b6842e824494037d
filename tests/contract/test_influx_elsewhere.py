"""Our writes on a server that is not InfluxDB, and on a real InfluxDB 2.x where one is named.

VictoriaMetrics (Debian's) implements `/api/v2/write` by itself and tells what it stored through an
export of its own. It keeps numbers only, by the millisecond, and answers no InfluxQL: it shows that
our lines and our client are understood by others, not that the store works there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec import structs

from common.records.verdicts import Level, LifeLeft, ScoreRecord, SourcePosition, Verdict
from common.scorestore.influx.bucket import ensure_bucket
from common.scorestore.influx.hourly import ensure_hourly
from common.scorestore.influx.store import InfluxScoreStore
from common.scorestore.port import ScoreQuery
from common.settings import RetentionSettings, ScoreStoreSettings
from deploy.local.programs import free_port
from tests.support.servers.backends import require, server

URL, TOKEN, ORG = (f"SURGELINE_TEST_INFLUX2_{name}" for name in ("URL", "TOKEN", "ORG"))
CHANNELS = ("T24", "odd name, with = signs")


def fleet(start: datetime, cycles: int = 20) -> list[ScoreRecord]:
    """Verdicts of three assets, with and without a score, beyond the first thousand cycles too."""
    rows = []
    for number in range(3):
        for cycle in range(990, 990 + cycles):
            plain = ScoreRecord(
                asset_id=f"engine {number}",
                run_id="run=1",
                cycle=cycle,
                ts=start + timedelta(seconds=cycle - 990),
                status=Verdict.GAP,
                model="fd001@1",
                detail='said "so", twice',
            )
            rows.append(
                plain
                if cycle % 5 == 0
                else structs.replace(
                    plain,
                    status=Verdict.SCORED,
                    score=cycle / 7,
                    warning_threshold=1.0,
                    critical_threshold=4 / 3,
                    level=Level.WARNING,
                    severity=cycle / 21,
                    life=LifeLeft(100.5, 0.1 + 0.2, 125.0),
                    shares=dict(zip(CHANNELS, (0.1, 0.9), strict=True)),
                )
            )
    return rows


def repeat(start: datetime) -> ScoreRecord:
    return structs.replace(
        fleet(start, 1)[0],
        status=Verdict.DUPLICATE,
        source=SourcePosition("test.readings", 3, 17),
        published_ts_ms=int(start.timestamp() * 1000),
    )


@pytest.fixture(scope="module")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a VictoriaMetrics of this module's own."""
    binary = shutil.which("victoria-metrics")
    if binary is None:
        require("victoria-metrics is needed: apt-get install victoria-metrics")
        raise AssertionError("unreachable")
    port, folder = free_port(), tmp_path_factory.mktemp("victoria")
    command = [
        binary,
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / 'data'}",
        "-retentionPeriod=100y",
    ]
    with server(command, port, folder / "log"):
        yield f"http://127.0.0.1:{port}"


def exported(url: str, asset_id: str) -> dict[str, dict[int, float]]:
    """Return what the server kept of an asset: by metric, by milliseconds."""
    httpx.get(f"{url}/internal/force_flush", trust_env=False).raise_for_status()
    matching = json.dumps(asset_id)
    answer = httpx.get(
        f"{url}/api/v1/export", params={"match[]": f"{{asset_id={matching}}}"}, trust_env=False
    )
    found: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for line in answer.raise_for_status().text.splitlines():
        one: dict[str, Any] = json.loads(line)
        labels = one["metric"]
        assert (labels["run_id"], labels["model"]) == ("run=1", "fd001@1")
        found[labels["__name__"]] |= dict(zip(one["timestamps"], one["values"], strict=True))
    return dict(found)


async def test_another_implementation_understands_every_number_and_time_we_write(
    victoria: str,
) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    rows = fleet(start)
    settings = ScoreStoreSettings(backend="influx", influx_url=victoria)
    async with InfluxScoreStore(settings) as store:
        await store.write([*rows, repeat(start)])
        await store.write(rows)  # again: the same points

    for number in range(3):
        own = [row for row in rows if row.asset_id == f"engine {number}"]
        kept = exported(victoria, f"engine {number}")

        def by_ms(name: str, rows: list[ScoreRecord] = own) -> dict[int, float]:
            return {int(row.ts.timestamp() * 1000): getattr(row, name) for row in rows}

        scored = [row for row in own if row.status is Verdict.SCORED]
        assert kept["score_cycle"] == by_ms("cycle")
        assert kept["score_score"] == pytest.approx(by_ms("score", scored), rel=1e-12)
        assert kept["score_severity"] == pytest.approx(by_ms("severity", scored), rel=1e-12)
        for channel, share in zip(CHANNELS, (0.1, 0.9), strict=True):
            assert set(kept[f"score_share_{channel}"].values()) == {share}
            assert len(kept[f"score_share_{channel}"]) == len(scored)
    assert set(exported(victoria, "engine 0")["repeat_offset"].values()) == {17}


async def set_up(settings: ScoreStoreSettings, days: int) -> list[str]:
    made = await asyncio.to_thread(ensure_bucket, settings, days)
    return [made, await ensure_hourly(settings, RetentionSettings(coarse_days=30))]


@pytest.fixture
async def influx2() -> AsyncIterator[InfluxScoreStore]:
    """A store in a new bucket of the server that the environment names."""
    if not os.environ.get(URL) or not os.environ.get(TOKEN):
        pytest.skip(f"NOT RUN on InfluxDB 2.x: set {URL}, {TOKEN} and {ORG} to a server of yours")
    settings = ScoreStoreSettings.model_validate(
        {
            "backend": "influx",
            "influx_url": os.environ[URL],
            "influx_token": os.environ[TOKEN],
            "influx_org": os.environ.get(ORG, "surgeline"),
            "influx_bucket": f"surgeline-test-{uuid.uuid4().hex[:12]}",
        }
    )
    await set_up(settings, 7)
    try:
        async with InfluxScoreStore(settings) as store:
            yield store
    finally:
        _delete_buckets(settings)


def _delete_buckets(settings: ScoreStoreSettings) -> None:
    token = settings.influx_token.get_secret_value()
    with httpx.Client(
        base_url=settings.influx_url, headers={"Authorization": f"Token {token}"}, trust_env=False
    ) as client:
        for bucket in (settings.influx_bucket, f"{settings.influx_bucket}/coarse"):
            query = {"org": settings.influx_org, "name": bucket}
            for found in client.get("/api/v2/buckets", params=query).json().get("buckets", ()):
                client.delete(f"/api/v2/buckets/{found['id']}")


@pytest.mark.influx2
async def test_a_real_2_x_takes_our_writes_and_gives_them_back(influx2: InfluxScoreStore) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    rows = fleet(start)

    await influx2.write([*rows, repeat(start)])
    await influx2.write(rows)

    page = await influx2.query(ScoreQuery(limit=1000))
    assert sorted(page.records, key=lambda row: (row.asset_id, row.cycle)) == rows
    assert sum((await influx2.verdict_counts()).values()) == len(rows) + 1
    assert [run.last_cycle for run in await influx2.runs()] == [1009] * 3
    assert (await influx2.query(ScoreQuery(limit=5, newest_first=True))).records[0].cycle == 1009


@pytest.mark.influx2
async def test_a_real_2_x_drops_what_is_older_than_its_bucket_keeps_and_goes_on(
    influx2: InfluxScoreStore,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    await influx2.write([*fleet(now - timedelta(days=30)), *fleet(now)])

    assert len((await influx2.query(ScoreQuery(limit=1000))).records) == len(fleet(now))


@pytest.mark.influx2
async def test_a_real_2_x_accepts_the_set_up_again(influx2: InfluxScoreStore) -> None:
    settings = influx2._settings
    for days in (7, 3):
        said = await set_up(settings, days)
    assert "kept for 3 days" in said[0]
