"""Alive, ready and why not, what is running, what was counted, how it is described."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from api.metrics import METHODS
from api.ports import FeedBatch, FeedPosition, OffsetGap
from api.routes.system import shown_settings
from common.errors import BackendRefusedError, BackendUnavailableError
from common.metering.names import OTHER
from common.settings import (
    AlertHistorySettings,
    ApiSettings,
    RedisSettings,
    ScoreStoreSettings,
    Settings,
)
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, api_routes, eventually, running


async def test_health_does_not_ask_anyone() -> None:
    fakes = Fakes()
    fakes.history.failure = BackendUnavailableError("gone")
    async with running() as api:
        answer = await api.client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_when_everything_answers() -> None:
    async with running() as api:
        answer = await api.client.get("/ready")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "ready")
    assert set(body["dependencies"]) == {
        "broker",
        "score_store",
        "alert_history",
        "detector",
        "detector_group",
    }
    for dependency in body["dependencies"].values():
        assert dependency["ok"]
        assert dependency["error"] is None
        assert 0 <= dependency["latency_ms"] < 1000


def broker_down(fakes: Fakes) -> None:
    fakes.feed.failure = BackendUnavailableError("no broker at 127.0.0.1:9")


def scores_down(fakes: Fakes) -> None:
    async def refuse() -> None:
        raise BackendRefusedError("wrong token")

    fakes.scores.ping = refuse  # type: ignore[method-assign]


def history_down(fakes: Fakes) -> None:
    fakes.history.failure = BackendUnavailableError("database is locked")


def detector_down(fakes: Fakes) -> None:
    fakes.detector.failure = BackendUnavailableError("connection refused")


def detector_hangs(fakes: Fakes) -> None:
    fakes.detector.hangs = True


def group_stands(fakes: Fakes) -> None:
    fakes.group.failure = BackendUnavailableError("partition 3 stands still at offset 120")


@pytest.mark.parametrize(
    ("break_it", "name", "status", "word", "why"),
    [
        pytest.param(broker_down, "broker", 503, "not_ready", "no broker at", id="broker"),
        pytest.param(scores_down, "score_store", 503, "not_ready", "wrong token", id="scores"),
        pytest.param(history_down, "alert_history", 503, "not_ready", "is locked", id="history"),
        pytest.param(detector_down, "detector", 200, "degraded", "refused", id="detector"),
        pytest.param(group_stands, "detector_group", 200, "degraded", "stands still", id="group"),
        pytest.param(detector_hangs, "detector", 200, "degraded", "within 0.5 s", id="hangs"),
    ],
)
async def test_ready_says_what_is_down_and_why(
    break_it: Callable[[Fakes], None], name: str, status: int, word: str, why: str
) -> None:
    fakes = Fakes()
    break_it(fakes)
    async with running(fakes, ApiSettings(probe_timeout_s=0.5)) as api:
        answer = await api.client.get("/ready")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, word)
    down = {key: item for key, item in body["dependencies"].items() if not item["ok"]}
    assert list(down) == [name]
    assert why in down[name]["error"]


async def test_info_shows_settings_and_no_secret() -> None:
    settings = Settings(
        redis=RedisSettings(url=SecretStr("redis://:hunter2@redis:6379/0")),
        scores=ScoreStoreSettings(
            influx_url="http://user:hunter2@influx:8086", influx_token=SecretStr("hunter2")
        ),
        alerts=AlertHistorySettings(url=SecretStr("postgresql+asyncpg://u:hunter2@db/alerts")),
    )

    shown = shown_settings(settings)

    assert "hunter2" not in str(shown)
    assert "influx:8086" in str(shown)
    async with running() as api:
        body = (await api.client.get("/info")).json()
    assert body["artifact"] == "fd001"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", body["version"])
    assert body["settings"]["kafka"]["topic_prefix"] == "surgeline"


async def test_metrics_count_alerts_requests_and_failures() -> None:
    async with running() as api:
        alerts = [make_alert(1), make_alert(2)]
        api.fakes.feed.put(batch(alerts[:1]))
        api.fakes.feed.put(BackendUnavailableError("the broker went away"))
        api.fakes.feed.put(batch(alerts))
        await eventually(lambda: len(api.fakes.history.ids()) == 2)
        await api.client.get("/api/v1/alerts/some-id")
        text = (await api.client.get("/metrics")).text

    assert "surgeline_api_alerts_projected_total 2.0" in text
    assert "surgeline_api_alerts_repeated_total 1.0" in text
    assert "surgeline_api_projection_failures_total 1.0" in text
    assert "surgeline_api_sse_subscribers 0.0" in text
    assert (
        'surgeline_api_request_seconds_count{method="GET",route="/api/v1/alerts/{alert_id}",'
        'status="404"} 1.0' in text
    )


async def test_the_projection_waits_for_a_history_that_is_down() -> None:
    async with running() as api:
        api.fakes.feed.put(batch([make_alert(1)]))
        await eventually(lambda: len(api.fakes.history.ids()) == 1)
        api.fakes.history.failure = BackendUnavailableError("database is locked")
        api.fakes.feed.put(batch([make_alert(2)]))
        await eventually(lambda: api.fakes.feed.taken == 2)
        assert len(api.fakes.history.ids()) == 1
        api.fakes.history.failure = None
        await eventually(lambda: len(api.fakes.history.ids()) == 2)


async def test_a_defect_in_one_batch_does_not_end_the_projection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_args: object) -> int:
        raise RuntimeError("defect")

    async with running() as api:
        with monkeypatch.context() as patched:
            patched.setattr(type(api.fakes.history), "store", broken)
            api.fakes.feed.put(batch([make_alert(1)]))
            await eventually(lambda: api.fakes.feed.taken == 1)
        api.fakes.feed.put(batch([make_alert(1)]))
        await eventually(lambda: len(api.fakes.history.ids()) == 1)


async def test_the_root_shows_the_way() -> None:
    async with running() as api:
        body = (await api.client.get("/")).json()
        for path in body["links"].values():
            if not path.endswith("/stream"):
                assert (await api.client.get(path)).status_code == 200, path


async def test_the_documentation_loads_nothing_from_elsewhere() -> None:
    async with running() as api:
        page = (await api.client.get("/docs")).text
        wanted = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(wanted) >= 3
        for address in wanted:
            assert address.startswith("/"), address
            assert (await api.client.get(address)).status_code == 200


async def test_other_origins_are_allowed_nothing() -> None:
    headers = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    async with running() as api:
        asked = await api.client.options("/api/v1/replays", headers=headers)
        got = await api.client.get("/api/v1/assets", headers=headers)

    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in got.headers


async def test_every_operation_is_described_with_the_one_error_body() -> None:
    async with running() as api:
        schema = (await api.client.get("/openapi.json")).json()

    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            for parameter in operation.get("parameters", []):
                assert parameter.get("description") or parameter["schema"].get("description"), (
                    f"{where}: {parameter['name']}"
                )
            for status, answer in operation["responses"].items():
                if path.startswith("/api") and int(status) >= 400:
                    (content,) = answer["content"].values()
                    assert content["schema"]["$ref"].endswith("/Problem"), f"{where} {status}"


async def test_every_reference_of_the_description_leads_somewhere() -> None:
    async with running() as api:
        answer = await api.client.get("/openapi.json")

    defined = set(answer.json()["components"]["schemas"])
    used = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert used <= defined


async def test_a_gap_is_listed_counted_and_noted_and_is_no_failure() -> None:
    async with running() as api:
        before = (await api.client.get("/ready")).json()
        api.fakes.feed.put(FeedBatch("cluster/alerts", 0, FeedPosition(9), [], OffsetGap(3, 9)))
        await eventually(lambda: api.fakes.feed.taken == 1)
        listed = (await api.client.get("/api/v1/alerts/gaps")).json()
        ready = await api.client.get("/ready")
        metrics = (await api.client.get("/metrics")).text

    (gap,) = listed["items"]
    assert gap.pop("noticed_at")
    assert gap == {
        "source": "cluster/alerts",
        "partition": 0,
        "from_offset": 3,
        "to_offset": 9,
        "at_most": 6,
    }
    assert before["notes"] == []
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert "6 alerts expired" in ready.json()["notes"][0]
    assert "surgeline_api_alert_gaps_total 1.0" in metrics


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.text("aZ-/%.?*{}~é ", max_size=12), st.text("AGETZ-", min_size=1)), max_size=6
    )
)
def test_no_request_can_make_a_label(requests: list[tuple[str, str]]) -> None:
    async def asked() -> list[dict[str, str]]:
        async with running() as api:
            for path, method in requests:
                with suppress(httpx.InvalidURL):
                    await api.client.request(method, f"/api/v1/assets/{path}")
                    await api.client.request(method, f"/{path}")
            families = api.services.metrics.registry.collect()
            return [s.labels for family in families for s in family.samples if "route" in s.labels]

    patterns = {route.path for route in api_routes()} | {"/docs", "/openapi.json"}
    for labels in asyncio.run(asked()):
        assert labels["route"] in patterns | {OTHER}
        assert labels["method"] in METHODS | {OTHER}
        assert re.fullmatch(r"[2345][0-9][0-9]", labels["status"])
