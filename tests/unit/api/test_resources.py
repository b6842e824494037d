"""Assets, scores and alerts: what is answered, in which order, page after page."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from api.views.assets import AssetPage
from common.records.alerts import Transition
from common.records.verdicts import Level, LifeLeft, SourcePosition, Verdict
from tests.support.alerts import batch, make_alert
from tests.support.api import Running, running, score


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        yield started


async def pages(api: Running, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """Read all pages, each as its items."""
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.client.get(path, params=query | cursor)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found.append(body["items"])
        if body["next_cursor"] is None:
            return found
        cursor = {"cursor": body["next_cursor"]}


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 3, 7, 20, 21])
async def test_pages_of_scores_hold_every_row_once(api: Running, order: str, limit: int) -> None:
    await api.fakes.scores.write([score(cycle) for cycle in range(1, 21)])

    found = await pages(api, "/api/v1/scores", asset_id="a", order=order, limit=limit)

    cycles = [item["cycle"] for page in found for item in page]
    assert cycles == (list(range(20, 0, -1)) if order == "newest" else list(range(1, 21)))
    assert all(len(page) <= limit for page in found)


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 3, 7, 20, 21])
async def test_pages_of_alerts_hold_every_alert_once(api: Running, order: str, limit: int) -> None:
    await api.fakes.history.store(batch([make_alert(cycle) for cycle in range(1, 21)]))

    found = await pages(api, "/api/v1/alerts", order=order, limit=limit)

    cycles = [item["cycle"] for page in found for item in page]
    assert cycles == (list(range(20, 0, -1)) if order == "newest" else list(range(1, 21)))
    assert all(len(page) == limit for page in found[:-1])


async def test_alerts_that_arrive_while_one_turns_pages_shift_nothing(api: Running) -> None:
    await api.fakes.history.store(batch([make_alert(cycle) for cycle in range(1, 7)]))
    first = (await api.client.get("/api/v1/alerts?limit=3")).json()

    await api.fakes.history.store(batch([make_alert(99)]))
    rest = (await api.client.get(f"/api/v1/alerts?limit=3&cursor={first['next_cursor']}")).json()

    assert [item["cycle"] for item in first["items"] + rest["items"]] == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/scores"])
async def test_a_cursor_of_another_query_is_refused(api: Running, path: str) -> None:
    await api.fakes.history.store(batch([make_alert(cycle, asset_id="a") for cycle in (1, 2)]))
    await api.fakes.scores.write([score(1), score(2)])
    first = (await api.client.get(f"{path}?limit=1&asset_id=a")).json()
    cursor = first["next_cursor"]

    same = await api.client.get(f"{path}?limit=5&asset_id=a&cursor={cursor}")
    other = await api.client.get(f"{path}?limit=1&asset_id=b&cursor={cursor}")

    assert same.status_code == 200
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "cursor"


async def test_a_score_says_all_that_is_stored(api: Running) -> None:
    await api.fakes.scores.write(
        [score(7, run_id="simulated-1", level=Level.WARNING), score(8, status=Verdict.WARMING_UP)]
    )

    newest, oldest = (await api.client.get("/api/v1/scores")).json()["items"]

    assert oldest == {
        "asset_id": "a",
        "run_id": "simulated-1",
        "fleet": "default",
        "simulated": True,
        "cycle": 7,
        "ts": "2026-01-01T00:00:07Z",
        "status": "scored",
        "score": 0.7,
        "final_score": None,
        "warning_threshold": 0.5,
        "critical_threshold": 0.8,
        "level": "warning",
        "evidence": None,
        "severity": None,
        "life": None,
        "shares": {"T50": 0.75, "Ps30": 0.25},
        "detail": "",
        "model": "fd001@1",
    }
    assert newest["status"] == "warming_up"
    assert newest["score"] is None
    assert newest["simulated"] is False


@pytest.mark.parametrize(
    ("query", "cycles"),
    [
        pytest.param("asset_id=b", [3], id="asset"),
        pytest.param("fleet=default", [1, 2, 3, 4], id="fleet"),
        pytest.param("fleet=pumps", [], id="another fleet"),
        pytest.param("run_id=run-2", [4], id="run"),
        pytest.param("status=warming_up", [1], id="status"),
        pytest.param("min_level=warning", [2, 3], id="warning or worse"),
        pytest.param("min_level=critical", [3], id="critical"),
        pytest.param("since=2026-01-01T00:00:03Z", [3, 4], id="since includes"),
        pytest.param("until=2026-01-01T00:00:03Z", [1, 2], id="until excludes"),
    ],
)
async def test_filters_of_scores(api: Running, query: str, cycles: list[int]) -> None:
    await api.fakes.scores.write(
        [
            score(1, status=Verdict.WARMING_UP),
            score(2, level=Level.WARNING),
            score(3, asset_id="b", level=Level.CRITICAL),
            score(4, run_id="run-2"),
        ]
    )

    answer = await api.client.get(f"/api/v1/scores?order=oldest&{query}")

    assert [item["cycle"] for item in answer.json()["items"]] == cycles


@pytest.mark.parametrize(
    ("query", "cycles"),
    [
        pytest.param("asset_id=b", [2], id="asset"),
        pytest.param("fleet=pumps", [], id="another fleet"),
        pytest.param("run_id=simulated-9", [3], id="run"),
        pytest.param("level=critical", [4], id="level"),
        pytest.param("min_level=warning", [1, 2, 3, 4], id="warning or worse"),
        pytest.param("state=escalated", [4], id="state"),
        pytest.param("since=2026-01-01T00:00:02Z&until=2026-01-01T00:00:04Z", [2, 3], id="time"),
        pytest.param(f"alarm_id={make_alert(1, asset_id='a').alarm_id}", [1, 4], id="alarm"),
    ],
)
async def test_filters_of_alerts(api: Running, query: str, cycles: list[int]) -> None:
    escalated = make_alert(
        4, asset_id="a", state=Transition.ESCALATED, level=Level.CRITICAL, onset_cycle=1
    )
    await api.fakes.history.store(
        batch(
            [
                make_alert(1, asset_id="a"),
                make_alert(2, asset_id="b"),
                make_alert(3, asset_id="a", run_id="simulated-9"),
                escalated,
            ]
        )
    )

    answer = await api.client.get(f"/api/v1/alerts?order=oldest&{query}")

    assert [item["cycle"] for item in answer.json()["items"]] == cycles


async def test_one_alert_is_found_by_its_id(api: Running) -> None:
    alert = make_alert(5, run_id="simulated-1")
    await api.fakes.history.store(batch([make_alert(4), alert]))

    found = (await api.client.get(f"/api/v1/alerts/{alert.alert_id}")).json()

    assert found["sequence"] == 2
    assert found["simulated"] is True
    on_the_wire = alert.model_dump(mode="json", exclude={"schema_version"})
    assert {name: found[name] for name in on_the_wire} == on_the_wire


async def test_an_asset_shows_its_latest_run_and_open_alarm(api: Running) -> None:
    await api.fakes.scores.write(
        [
            score(1, asset_id="b", status=Verdict.WARMING_UP),
            score(1, run_id="simulated-1"),
            score(6, run_id="run-2", status=Verdict.WARMING_UP),
            structs.replace(
                score(9, run_id="run-2", level=Level.CRITICAL), life=LifeLeft(41.5, 28.0, 60.5)
            ),
            score(8, run_id="run-2"),
        ]
    )
    raised = make_alert(8, asset_id="a", run_id="run-2")
    old = make_alert(1, asset_id="a", run_id="simulated-1")
    await api.fakes.history.store(batch([old, raised]))

    first, second = (await api.client.get("/api/v1/assets")).json()["items"]

    assert first == {
        "asset_id": "a",
        "run_id": "run-2",
        "fleet": "default",
        "simulated": False,
        "runs": 2,
        "first_cycle": 6,
        "last_cycle": 9,
        "last_ts": "2026-01-01T00:00:09Z",
        "arrived_at": None,
        "dated_in_future": False,
        "verdicts": {"warming_up": 1, "scored": 2},
        "last_score": 0.9,
        "last_level": "critical",
        "last_severity": None,
        "last_life": {"expected": 41.5, "low": 28.0, "high": 60.5},
        "peak_score": 0.9,
        "peak_severity": None,
        "state": "active",
        "level": "warning",
        "asks": True,
        "standing": {
            "alarm_id": raised.alarm_id,
            "run_id": "run-2",
            "state": "active",
            "level": "warning",
            "acknowledged": False,
            "shelved": False,
            "out_of_service": False,
        },
        "warm_up": None,
        "alarm": {
            "alarm_id": raised.alarm_id,
            "level": "warning",
            "state": "raised",
            "onset_cycle": 8,
            "cycle": 8,
            "ts": "2026-01-01T00:00:08Z",
            "alert_id": raised.alert_id,
        },
        "silent": None,
    }
    assert (second["asset_id"], second["alarm"], second["last_score"]) == ("b", None, None)


async def test_a_cleared_alarm_is_no_longer_shown(api: Running) -> None:
    await api.fakes.scores.write([score(9)])
    cleared = make_alert(9, asset_id="a", state=Transition.CLEARED, onset_cycle=3)
    await api.fakes.history.store(batch([make_alert(3, asset_id="a"), cleared]))

    (asset,) = (await api.client.get("/api/v1/assets")).json()["items"]

    assert asset["alarm"] is None


async def test_assets_of_one_run(api: Running) -> None:
    await api.fakes.scores.write(
        [score(1, run_id="x"), score(2, run_id="y"), score(3, asset_id="b", run_id="y")]
    )

    of_x = (await api.client.get("/api/v1/assets?run_id=x")).json()["items"]
    of_b = (await api.client.get("/api/v1/assets?asset_id=b")).json()["items"]

    assert [(item["asset_id"], item["run_id"]) for item in of_x] == [("a", "x")]
    assert [(item["asset_id"], item["run_id"]) for item in of_b] == [("b", "y")]


async def test_an_asset_with_only_rejected_readings_is_shown(api: Running) -> None:
    rejected = structs.replace(score(1, status=Verdict.REJECTED), published_ts_ms=1)
    await api.fakes.scores.write(
        [structs.replace(rejected, source=SourcePosition("t", 0, offset)) for offset in range(12)]
    )

    (asset,) = (await api.client.get("/api/v1/assets")).json()["items"]

    assert asset["asset_id"] == "a"
    assert asset["verdicts"] == {"rejected": 12}
    assert (asset["first_cycle"], asset["last_cycle"], asset["last_ts"]) == (None, None, None)


@pytest.mark.parametrize("ahead_min", [59, 61])
async def test_the_latest_run_is_the_one_that_arrived_last_and_a_wrong_clock_is_told(
    api: Running, ahead_min: int
) -> None:
    now = datetime.now(UTC)
    ahead = now + timedelta(minutes=ahead_min)
    await api.fakes.scores.write(
        [
            structs.replace(score(1, run_id="odd"), ts=ahead, published_ts_ms=1000),
            structs.replace(score(1, run_id="even"), ts=now, published_ts_ms=2000),
            structs.replace(score(1, asset_id="b", run_id="odd"), ts=ahead, published_ts_ms=3000),
            structs.replace(score(1, asset_id="b", run_id="even"), ts=now, published_ts_ms=2000),
        ]
    )

    for query in ("", "?order=urgency"):
        items = (await api.client.get(f"/api/v1/assets{query}")).json()["items"]
        first, second = sorted(items, key=lambda item: str(item["asset_id"]))

        assert (first["run_id"], first["dated_in_future"]) == ("even", False)
        assert (second["run_id"], second["dated_in_future"]) == ("odd", ahead_min > 60)
        assert second["arrived_at"] == "1970-01-01T00:00:03Z"


async def test_assets_are_paged_by_name(api: Running) -> None:
    names = [f"engine-{number:03d}" for number in range(450)]
    await api.fakes.scores.write([score(1, asset_id=name) for name in names])

    by_default = (await api.client.get("/api/v1/assets")).json()
    found: list[str] = []
    query = {"limit": "100"}
    while True:
        page = (await api.client.get("/api/v1/assets", params=query)).raise_for_status().json()
        found += [item["asset_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert found == names
    assert len(by_default["items"]) == 200
    other = await api.client.get(
        "/api/v1/assets", params={"cursor": by_default["next_cursor"], "run_id": "run-1"}
    )
    assert other.status_code == 422


async def test_others_are_served_while_a_large_answer_is_written(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer waits for another request to be served: on the event loop, none ever would."""
    served, writing = threading.Event(), threading.Event()
    made = AssetPage.model_dump_json

    def slow(self: AssetPage, **options: Any) -> str:
        writing.set()
        assert served.wait(60)
        return made(self, **options)

    monkeypatch.setattr(AssetPage, "model_dump_json", slow)
    await api.fakes.scores.write([score(1)])
    asked = asyncio.create_task(api.client.get("/api/v1/assets"))
    await asyncio.to_thread(writing.wait, 60)
    assert (await api.client.get("/health")).status_code == 200
    served.set()
    assert (await asked).json()["items"]
