"""Bad input is refused with 422 and the field's name; every failure has the one body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.http.problems import MEDIA_TYPE, Problem
from common.errors import BackendRefusedError, BackendUnavailableError
from tests.support.api import Running, running, score

SCORES = "/api/v1/scores"
ALERTS = "/api/v1/alerts"
STREAM = "/api/v1/alerts/stream"
ASSETS = "/api/v1/assets"
REPLAYS = "/api/v1/replays"


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        yield started


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        pytest.param(SCORES, "limit=0", "limit", id="limit too small"),
        pytest.param(SCORES, "limit=10001", "limit", id="limit too large"),
        pytest.param(SCORES, "limit=ten", "limit", id="limit no number"),
        pytest.param(SCORES, "asset_id=", "asset_id", id="empty id"),
        pytest.param(SCORES, "asset_id=../etc", "asset_id", id="id with a slash"),
        pytest.param(SCORES, "run_id=" + "r" * 129, "run_id", id="id too long"),
        pytest.param(SCORES, "status=fine", "status", id="no verdict"),
        pytest.param(SCORES, "min_level=none", "min_level", id="no level to ask for"),
        pytest.param(SCORES, "order=up", "order", id="no order"),
        pytest.param(SCORES, "since=yesterday", "since", id="no time"),
        pytest.param(SCORES, "since=1767225600", "since", id="epoch seconds"),
        pytest.param(SCORES, "since=2026-01-01", "since", id="date alone"),
        pytest.param(SCORES, "since=2026-01-01T00:00:00", "since", id="no zone"),
        pytest.param(SCORES, "until=2026-02-30T00:00:00Z", "until", id="no such day"),
        pytest.param(
            SCORES,
            "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "until",
            id="range backwards",
        ),
        pytest.param(SCORES, "cursor=nonsense", "cursor", id="no cursor"),
        pytest.param(SCORES, "asset=a", "asset", id="unknown parameter"),
        pytest.param(SCORES, "asset_id=a&asset_id=b", "asset_id", id="given twice"),
        pytest.param(ALERTS, "limit=1001", "limit", id="alerts: limit too large"),
        pytest.param(ALERTS, "level=none", "level", id="alerts: no level of an alert"),
        pytest.param(ALERTS, "state=open", "state", id="alerts: no state"),
        pytest.param(ALERTS, "cursor=WyIiLCJ4Il0", "cursor", id="alerts: foreign cursor"),
        pytest.param(ALERTS, "page=2", "page", id="alerts: unknown parameter"),
        pytest.param(STREAM, "replay=some", "replay", id="stream: replay what"),
        pytest.param(STREAM, "level=warning", "level", id="stream: unknown parameter"),
        pytest.param(ASSETS, "limit=1001", "limit", id="assets: limit too high"),
        pytest.param(ASSETS, "order=newest", "order", id="assets: unknown parameter"),
        pytest.param(ALERTS + "/x", "verbose=1", "verbose", id="one alert: unknown parameter"),
        pytest.param(REPLAYS, "state=done", "state", id="replays: unknown parameter"),
    ],
)
async def test_a_bad_query_names_the_parameter(
    api: Running, path: str, query: str, field: str
) -> None:
    answer = await api.client.get(f"{path}?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = Problem.model_validate(answer.json())
    assert problem.status == 422
    assert [(error.where, error.field) for error in problem.errors] == [("query", field)]
    assert field in problem.detail


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "dataset", id="no dataset"),
        pytest.param({"dataset": "FD005"}, "dataset", id="no such dataset"),
        pytest.param({"dataset": "FD001", "split": "validation"}, "split", id="no such split"),
        pytest.param({"dataset": "FD001", "engines": "0"}, "engines", id="engine zero"),
        pytest.param({"dataset": "FD001", "engines": "5-2"}, "engines", id="range backwards"),
        pytest.param({"dataset": "FD001", "engines": "1;rm"}, "engines", id="engines not a list"),
        pytest.param({"dataset": "FD001", "engines": 3}, "engines", id="engines a number"),
        pytest.param({"dataset": "FD001", "speed": "fast"}, "speed", id="speed a word"),
        pytest.param({"dataset": "FD001", "speed": "0x"}, "speed", id="speed zero"),
        pytest.param({"dataset": "FD001", "speed": "--help"}, "speed", id="speed an option"),
        pytest.param({"dataset": "FD001", "start": "now"}, "start", id="start a word"),
        pytest.param({"dataset": "FD001", "start": 1767225600}, "start", id="start a number"),
        pytest.param({"dataset": "FD001", "cycle_interval_s": 0}, "cycle_interval_s", id="zero"),
        pytest.param(
            {"dataset": "FD001", "cycle_interval_s": "1s"}, "cycle_interval_s", id="interval text"
        ),
        pytest.param({"dataset": "FD001", "run_id": "-x"}, "run_id", id="run id an option"),
        pytest.param({"dataset": "FD001", "run_id": "simulated-1"}, "run_id", id="run id lies"),
        pytest.param({"dataset": "SIM", "run_id": "demo"}, "run_id", id="run id hides"),
        pytest.param({"dataset": "FD001", "seed": 1}, "seed", id="seed of a data set"),
        pytest.param({"dataset": "SIM", "seed": -1}, "seed", id="negative seed"),
        pytest.param({"dataset": "SIM", "seed": True}, "seed", id="seed a truth"),
        pytest.param({"dataset": "FD001", "sped": "max"}, "sped", id="unknown field"),
    ],
)
async def test_a_bad_body_names_the_field(api: Running, body: dict[str, Any], field: str) -> None:
    answer = await api.client.post(REPLAYS, json=body)

    assert answer.status_code == 422
    problem = Problem.model_validate(answer.json())
    assert [(error.where, error.field) for error in problem.errors] == [("body", field)]
    assert api.fakes.launcher.launched == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(b"{", "application/json", id="broken"),
        pytest.param(b"[]", "application/json", id="a list"),
        pytest.param(b"", "application/json", id="empty"),
        pytest.param(b'{"dataset": "SIM"}', "text/plain", id="not said to be JSON"),
        pytest.param(b'{"dataset": "\xff"}', "application/json", id="not UTF-8"),
    ],
)
async def test_what_is_no_json_object_is_refused(api: Running, content: bytes, kind: str) -> None:
    answer = await api.client.post(REPLAYS, content=content, headers={"Content-Type": kind})

    assert answer.status_code in (400, 415, 422)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert Problem.model_validate(answer.json()).status == answer.status_code
    assert api.fakes.launcher.launched == []


async def test_several_faults_are_all_named(api: Running) -> None:
    answer = await api.client.get(f"{SCORES}?limit=0&order=up&colour=red")

    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"limit", "order", "colour"}


async def test_a_plus_lost_in_the_url_is_explained(api: Running) -> None:
    answer = await api.client.get(f"{SCORES}?since=2026-01-01T00:00:00+01:00")

    assert answer.status_code == 422
    assert "%2B" in answer.json()["detail"]


async def test_offsets_other_than_utc_are_understood(api: Running) -> None:
    await api.fakes.scores.write([score(1), score(2)])

    answer = await api.client.get(f"{SCORES}?since=2026-01-01T01:00:02%2B01:00")

    assert [item["cycle"] for item in answer.json()["items"]] == [2]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/api/v1/nothing", 404, id="no such path"),
        pytest.param("GET", f"{ALERTS}/nobody", 404, id="no such alert"),
        pytest.param("GET", f"{REPLAYS}/nobody", 404, id="no such replay"),
        pytest.param("DELETE", f"{REPLAYS}/nobody", 404, id="stop no replay"),
        pytest.param("GET", f"{STREAM}?last_event_id=nobody", 404, id="resume from nowhere"),
        pytest.param("DELETE", ALERTS, 405, id="wrong method"),
    ],
)
async def test_other_refusals_have_the_same_body(
    api: Running, method: str, path: str, status: int
) -> None:
    answer = await api.client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert Problem.model_validate(answer.json()).status == status


async def test_a_store_that_is_down_is_503_and_worth_another_try(api: Running) -> None:
    api.fakes.history.failure = BackendUnavailableError("database is locked")

    answer = await api.client.get(ALERTS)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "database is locked" in answer.json()["detail"]


async def test_a_store_that_refuses_is_502(api: Running) -> None:
    api.fakes.history.failure = BackendRefusedError("wrong password")

    assert (await api.client.get(ALERTS)).status_code == 502


async def test_a_defect_is_500_and_tells_nothing_of_its_inside(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(type(api.fakes.scores), "runs", broken)

    answer = await api.client.get(ASSETS)

    assert answer.status_code == 500
    assert Problem.model_validate(answer.json()).type.endswith("internal_error")
    assert "secret" not in answer.text
