"""Figures to judge the alarms by: what the route answers, and which times it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.alarms import CLEARED, RAISED
from tests.support.alerts import START, batch
from tests.support.api import Fakes, Running, running
from tests.support.clock import StillClock
from tests.unit.api.test_assets import KNOWN

KPIS = "/api/v1/alarms/kpis"


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    clock = StillClock()
    fakes = Fakes(clock=clock)
    fakes.catalogue.known = KNOWN
    async with running(fakes) as started:
        ended = CLEARED.model_copy(update={"flaps": 2})
        await fakes.history.store(batch([RAISED, ended]), START)
        clock.elapsed_s = 90.0
        path = f"/api/v1/alarms/{RAISED.alarm_id}"
        assert (await started.client.post(f"{path}/acknowledge", json={})).is_success
        judged = await started.client.post(f"{path}/verdict", json={"verdict": "false_alarm"})
        assert judged.is_success, judged.text
        clock.elapsed_s = 2 * 86_400.0
        yield started


async def test_all_figures_are_told_with_what_channels_measure(api: Running) -> None:
    answer = await api.client.get(KPIS, params={"operators": 2})

    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "since": "2025-12-27T00:00:00Z",
        "until": "2026-01-03T00:00:00Z",
        "fleet": None,
        "operators": 2,
        "alarms": 1,
        "per_day": pytest.approx(1 / 7),
        "per_operator_hour": pytest.approx(1 / 7 / 24 / 2),
        "load": "acceptable",
        "busiest": {"at": "2026-01-01T00:00:00Z", "alarms": 1},
        "flood_part": 0.0,
        "chattering": {
            "alarms": 1,
            "flaps": 2,
            "assets": [{"asset_id": RAISED.asset_id, "alarms": 1, "flaps": 2}],
        },
        "stale": {"alarms": 0, "oldest": None},
        "acknowledgement": {"acknowledged": 1, "waiting": 0, "median_s": 90.0, "p90_s": 90.0},
        "verdicts": {"true_alarm": 0, "false_alarm": 1, "unknown": 0, "false_part": 1.0},
        "top_assets": [{"asset_id": RAISED.asset_id, "alarms": 1, "part": 1.0}],
        "top_channels": [
            {
                "fleet": "default",
                "channel": "T50",
                "meaning": "total temperature at LPT outlet",
                "unit": "°R",
                "alarms": 1,
                "part": 1.0,
            }
        ],
    }


async def test_nothing_came_and_nothing_is_divided_by_nothing(api: Running) -> None:
    body = (await api.client.get(KPIS, params={"fleet": "nobody"})).json()

    assert (body["alarms"], body["busiest"], body["top_assets"]) == (0, None, [])
    assert body["verdicts"]["false_part"] is None


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"since": "2026-01-03T00:00:00Z"}, id="now"),
        pytest.param({"since": "2030-01-01T00:00:00Z"}, id="to come"),
        pytest.param({"since": "2024-12-31T00:00:00Z"}, id="longer than a year"),
        pytest.param({"until": "1969-01-01T00:00:00Z"}, id="before the epoch"),
        pytest.param({"since": "0001-01-01T00:00:00Z"}, id="the first moment"),
        pytest.param({"operators": "0"}, id="nobody watches"),
        pytest.param({"operators": "1001"}, id="too many watch"),
        pytest.param({"since": "yesterday"}, id="no time"),
        pytest.param({"weeks": "2"}, id="no such parameter"),
    ],
)
async def test_a_time_that_cannot_be_is_refused(api: Running, query: dict[str, str]) -> None:
    answer = await api.client.get(KPIS, params=query)

    assert answer.status_code == 422
    assert answer.json()["errors"]


@pytest.mark.parametrize("until", ["9999-12-31T23:59:59Z", "2262-01-01T00:00:00Z"])
async def test_the_last_moment_is_a_time(api: Running, until: str) -> None:
    answer = await api.client.get(KPIS, params={"until": until})

    assert answer.status_code == 200, answer.text


async def test_stale_alarms_are_told_whenever_they_came(api: Running) -> None:
    other = RAISED.model_copy(update={"alarm_id": "old", "alert_id": "old", "asset_id": "old"})
    await api.fakes.history.store(batch([other]), START - timedelta(days=400))

    body = (await api.client.get(KPIS)).json()

    assert body["alarms"] == 1
    assert body["stale"] == {
        "alarms": 1,
        "oldest": {"alarm_id": "old", "asset_id": "old", "arrived_at": "2024-11-27T00:00:00Z"},
    }
